"""How long the functions wait for AWS, in direct calls and in those of botocore."""

CONNECT_SECONDS = 2.0
READ_SECONDS = 10.0
"""Time-outs of one attempt; botocore's own are 60 seconds each, longer than most invocations."""
