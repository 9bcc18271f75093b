"""The metrics of functions, in CloudWatch's embedded metric format (one log line per set of dimensions).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

NAMESPACE = "stepfast"
# The names of the metrics. The stack's dashboard and alarms use these constants.
STARTED, RESUMED = "ExecutionsStarted", "ExecutionsResumed"
SUCCEEDED, FAILED, CANCELLED = "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsCancelled"
ENDED: Mapping[str, str] = MappingProxyType({"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "CANCELLED": CANCELLED})
"""The metric of each status that an execution can end with."""
ATTEMPTS, RETRIES, FAILURES, LATENCY = "StepAttempts", "StepRetries", "StepFailures", "StepLatency"
STUCK = "ExecutionsStuck"


class Meter(Protocol):
    """Takes counts and durations in milliseconds. `by`: at most one dimension in addition to the service."""

    def count(self, name: str, value: float = 1, **by: str) -> None: ...
    def measure(self, name: str, milliseconds: float, **by: str) -> None: ...
    def flush(self) -> None:
        """Called once at the end of every invocation."""


class Silent:
    """A meter that drops everything."""

    def count(self, name: str, value: float = 1, **by: str) -> None: ...
    def measure(self, name: str, milliseconds: float, **by: str) -> None: ...
    def flush(self) -> None: ...


SILENT = Silent()


class EmbeddedMetrics:
    """Powertools' metrics, in the namespace POWERTOOLS_METRICS_NAMESPACE, with the function as dimension `service`.

    Any thread may count. Powertools' provider (3.37) is not thread-safe: a metric that is added while another thread
    writes a full set would be lost.
    """

    def __init__(self, service: str) -> None:
        self._service = os.environ.get("POWERTOOLS_SERVICE_NAME") or service
        self._namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE
        self._sets: dict[tuple[tuple[str, str], ...], Any] = {}
        self._lock = threading.Lock()

    def count(self, name: str, value: float = 1, **by: str) -> None:
        with self._lock:
            self._set(by).add_metric(name=name, unit="Count", value=value)

    def measure(self, name: str, milliseconds: float, **by: str) -> None:
        with self._lock:
            self._set(by).add_metric(name=name, unit="Milliseconds", value=round(milliseconds, 1))

    def flush(self) -> None:
        with self._lock:
            for metrics in self._sets.values():
                if metrics.metric_set:
                    metrics.flush_metrics()

    def _set(self, by: dict[str, str]) -> Any:
        key = tuple(sorted(by.items()))
        if key not in self._sets:
            from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

            self._sets[key] = AmazonCloudWatchEMFProvider(
                namespace=self._namespace, service=self._service, default_dimensions={"service": self._service, **by}
            )
        return self._sets[key]
