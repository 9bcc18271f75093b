"""The Store port on one DynamoDB table, with a bucket for large values. `store` is the way in."""
