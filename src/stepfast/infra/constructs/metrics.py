"""The metrics of a deployment: AWS's own metrics of its resources, and those that the functions write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cw
from constructs import Construct


def namespace_of(scope: Construct) -> str:
    """The namespace of a deployment's metrics: each has its own, which separates several in one account."""
    stack = Stack.of(scope)
    inside = scope.node.path.removeprefix(stack.node.path).split("/")
    # Where the construct is the stack's only one, its id is "Default", which the CDK leaves out of names.
    return "/".join(["stepfast", stack.stack_name, *(id for id in inside if id not in ("", "Default"))])


def by(dimension: str, namespace: str, name: str, statistic: str) -> cw.IMetric:
    """A search with one line per value of a dimension: workflows and pools change without a new dashboard."""
    return _expression(_search(dimension, namespace, name, statistic), "")


def over(dimension: str, namespace: str, name: str, label: str) -> cw.IMetric:
    """The sum over all values of a dimension."""
    return _expression(f"SUM({_search(dimension, namespace, name, 'Sum')})", label)


def _search(dimension: str, namespace: str, name: str, statistic: str) -> str:
    # In quotation marks: without them a search term may hold letters and digits only.
    return f"SEARCH('{{\"{namespace}\",service,{dimension}}} MetricName=\"{name}\"', '{statistic}', 300)"


def _expression(text: str, label: str) -> cw.IMetric:
    return cw.MathExpression(expression=text, label=label, using_metrics={})


def own(namespace: str, name: str, service: str, statistic: str = "Sum") -> cw.Metric:
    """A metric of one function, over all workflows."""
    return cw.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map={"service": service},
        statistic=statistic,
        period=Duration.minutes(5),
    )


def aws(
    namespace: str, name: str, dimensions: Mapping[str, str], statistic: str = "Sum", minutes: int = 5, label: str = ""
) -> cw.Metric:
    return cw.Metric(
        namespace=f"AWS/{namespace}",
        metric_name=name,
        dimensions_map=dict(dimensions),
        statistic=statistic,
        period=Duration.minutes(minutes),
        label=label or None,
    )


def total(metrics: Iterable[cw.IMetric], label: str, period: Duration | None = None) -> cw.MathExpression:
    """The sum of up to ten metrics, the most that an alarm may use. A metric without data counts as 0."""
    named = {f"m{index}": metric for index, metric in enumerate(metrics)}
    return cw.MathExpression(
        expression=" + ".join(f"FILL({name}, 0)" for name in named),
        using_metrics=named,
        label=label,
        period=period or Duration.minutes(5),
    )
