"""The alarms. docs/operations.md has a paragraph on each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stepfast.functions import metering
from stepfast.infra.constructs.dashboard import Watched
from stepfast.infra.constructs.metrics import aws, own, total

LATE_ADVANCE = Duration.minutes(1)
# CloudWatch: a metric math alarm may use at most ten metrics.
_METRICS_OF_AN_ALARM = 10


class Alarms(Construct):
    """All alarms notify one SNS topic.

    email: an address to subscribe, which must confirm from its inbox once. topic: an existing topic; None makes one.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        watched: Watched,
        sweep_every: int,
        email: str | None,
        topic: sns.ITopic | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.topic: sns.ITopic = topic or self._topic()
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        self._watch_letters(watched)
        self._watch_progress(watched, sweep_every)
        self._watch_functions(watched)
        self._watch_services(watched)

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(self, "Topic", display_name="stepfast alarms", enforce_ssl=True)
        stack = Stack.of(self)
        # enforce_ssl gives the topic its own policy, which replaces the default that lets CloudWatch publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            )
        )
        return topic

    def _watch_letters(self, watched: Watched) -> None:
        letters: list[tuple[str, sqs.IQueue, str]] = [
            ("DeadLetters", watched.dead_letters, "Executions have failed and wait to be resumed."),
            ("Undelivered", watched.undelivered, "Messages or stream records that no function could handle."),
        ]
        if watched.event_letters is not None:
            letters.append(("UnsentEvents", watched.event_letters, "Events that the event bus has refused for long."))
        for id, queue, text in letters:
            visible = aws("SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue.queue_name}, "Maximum", 1)
            self._alarm(id, visible, 0, text)

    def _watch_progress(self, watched: Watched, sweep_every: int) -> None:
        advancer = {"FunctionName": watched.functions["advancer"].function_name}
        age = aws("Lambda", "IteratorAge", advancer, "Maximum", 1)
        late = LATE_ADVANCE.to_milliseconds()
        self._alarm("LateAdvances", age, late, "The advancer is more than a minute behind the stream.", periods=3)
        stuck = own(watched.namespace, metering.STUCK, "sweeper", "Maximum")
        self._alarm("StuckExecutions", stuck, 0, "Executions without progress, although the sweep has advanced them.")
        sweeper = {"FunctionName": watched.functions["sweeper"].function_name}
        sweeps = aws("Lambda", "Invocations", sweeper, minutes=max(5, sweep_every // 60))
        self._alarm(
            "NoSweep",
            sweeps,
            1,
            "The sweep does not run: what is lost elsewhere stays lost.",
            periods=3,
            comparison=cw.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cw.TreatMissingData.BREACHING,
        )

    def _watch_functions(self, watched: Watched) -> None:
        for name in ("Errors", "Throttles"):
            metrics = [
                aws("Lambda", name, {"FunctionName": function.function_name}) for function in watched.functions.values()
            ]
            for index, some in enumerate(_portions(metrics, _METRICS_OF_AN_ALARM)):
                id = f"Function{name}" + (str(index + 1) if index else "")
                text = {
                    "Errors": "Functions have crashed, run out of time or memory; failures of steps do not count.",
                    "Throttles": "Lambda has turned invocations away: the account's concurrency is used up.",
                }[name]
                self._alarm(id, total(some, name.lower()), 0, text, periods=2)

    def _watch_services(self, watched: Watched) -> None:
        wrong = aws("ApiGateway", "5xx", {"ApiId": watched.api})
        self._alarm("ApiErrors", wrong, 0, "The API has answered requests with 5xx.", periods=2)
        table = {"TableName": watched.table}
        throttled = total(
            [aws("DynamoDB", name, table) for name in ("ReadThrottleEvents", "WriteThrottleEvents")], "throttled"
        )
        self._alarm("TableThrottles", throttled, 0, "DynamoDB slows the table down.", periods=3)
        dropped = aws("Scheduler", "InvocationDroppedCount", {"ScheduleGroup": watched.timers})
        self._alarm("LostSchedules", dropped, 0, "Scheduler has given up on timers; the sweep sends them again.")

    def _alarm(
        self,
        id: str,
        metric: cw.IMetric,
        threshold: float,
        text: str,
        *,
        periods: int = 1,
        comparison: cw.ComparisonOperator = cw.ComparisonOperator.GREATER_THAN_THRESHOLD,
        missing: cw.TreatMissingData = cw.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cw.Alarm(
            self,
            id,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=comparison,
            treat_missing_data=missing,
            alarm_description=f"{text} See {id} in docs/operations.md.",
        )
        action = actions.SnsAction(self.topic)
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)


def _portions(metrics: Iterable[cw.Metric], size: int) -> Iterator[list[cw.Metric]]:
    portions = list(metrics)
    return (portions[start : start + size] for start in range(0, len(portions), size))
