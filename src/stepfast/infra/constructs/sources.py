"""Event source mappings: how queues and the stream call functions, from the plan's numbers."""

from __future__ import annotations

import json

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stepfast.deployment.plan import QueuePlan, StreamPlan

_PARTIAL = ["ReportBatchItemFailures"]


def of_queue(scope: Construct, target: lambda_.IFunction, queue: sqs.Queue, plan: QueuePlan) -> None:
    """Limits belong here, not to the function: one throttled by reserved concurrency loses messages unrun."""
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
    """Bounded on every side: a record that always fails would otherwise hold its shard up for a day."""
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
        maximum_retry_attempts=plan.retry_attempts,
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
