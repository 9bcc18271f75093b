"""Limits of the queues that both the plan and the running functions go by."""

RECEIVES = 1000
"""Receives of a step or timer message until SQS gives it up: retries change its visibility, and each counts."""
LONGEST_VISIBILITY = 12 * 3600.0
"""Seconds that SQS hides a message at most, counted from when it was received."""
