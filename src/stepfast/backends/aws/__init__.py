"""What AWS offers besides the table: queues, the bucket, one-time schedules, and their errors as stepfast's."""
