"""Event source mappings: how queues and the stream invoke functions, with the plan's numbers."""

from __future__ import annotations

import json

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stepfast.deployment.plan import QueuePlan, StreamPlan

_PARTIAL = ["ReportBatchItemFailures"]


def of_queue(scope: Construct, target: lambda_.IFunction, queue: sqs.Queue, plan: QueuePlan) -> None:
    """Invokes a function with messages of a queue, up to the plan's concurrency.

    The limit belongs to the mapping. With reserved concurrency at the function, a throttled message would count as
    received and reach the dead-letter queue without having run:
    https://aws.amazon.com/blogs/compute/introducing-maximum-concurrency-of-aws-lambda-functions-when-using-amazon-sqs-as-an-event-source/
    """
    limit = None
    if plan.max_concurrency:
        limit = lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=plan.max_concurrency)
    lambda_.CfnEventSourceMapping(
        scope,
        "Messages",
        function_name=target.function_arn,
        event_source_arn=queue.queue_arn,
        batch_size=plan.batch_size,
        maximum_batching_window_in_seconds=plan.window,
        function_response_types=_PARTIAL,
        scaling_config=limit,
    )


def of_stream(scope: Construct, target: lambda_.IFunction, stream: str, plan: StreamPlan, failed: sqs.Queue) -> None:
    """Invokes a function with records of the table's stream.

    Lambda retries without a limit (-1) until a record has reached its maximum age: see StreamPlan. Records given up go
    to `failed`.
    """
    lambda_.CfnEventSourceMapping(
        scope,
        "Stream",
        function_name=target.function_arn,
        event_source_arn=stream,
        starting_position=plan.starting_position,
        batch_size=plan.batch_size,
        maximum_batching_window_in_seconds=plan.window,
        parallelization_factor=plan.parallelization,
        bisect_batch_on_function_error=plan.bisect,
        maximum_retry_attempts=-1,
        maximum_record_age_in_seconds=int(Duration.seconds(plan.max_age).to_seconds()),
        function_response_types=_PARTIAL,
        destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failed.queue_arn)
        ),
        filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
            filters=[
                lambda_.CfnEventSourceMapping.FilterProperty(pattern=json.dumps(dict(pattern), separators=(",", ":")))
                for pattern in plan.filters
            ]
        ),
    )
