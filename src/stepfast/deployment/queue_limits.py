"""Limits of the queues, used by both the plan and the running functions."""

RECEIVES = 1000
"""Receives after which SQS moves a step or timer message to the dead-letter queue.

Each retry changes the visibility of the message and receives it again, so the limit must exceed every retry policy.
SQS allows at most 1000 as maxReceiveCount.
"""
LONGEST_VISIBILITY = 12 * 3600.0
"""Seconds for which SQS can hide a message, counted from its receive."""
