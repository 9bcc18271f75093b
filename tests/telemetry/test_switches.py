"""Sampling, processes of a pool, metrics, and a program that has not switched OpenTelemetry on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from stepfast.deployment import telemetry
from stepfast.errors import StartupError
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.model import Attempt, Record
from stepfast.telemetry import Telemetry
from stepfast.telemetry.ids import trace_id_of
from stepfast.telemetry.measures import Measures
from tests.telemetry.conftest import Exported
from tests.telemetry.flows import pooled
from tests.telemetry.homes import HOMES, WORKFLOWS, EmbeddedHome


def test_a_trace_is_sampled_as_a_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sampler: Any = ParentBased(TraceIdRatioBased(0.5))
    exported, provider = InMemorySpanExporter(), TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(exported))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    ids = [f"order-{number}" for number in range(20)]
    with Runtime(Registry(WORKFLOWS), tmp_path / "test.db", telemetry=Telemetry()) as runtime:
        home = EmbeddedHome(runtime)
        for id in ids:
            home.start("priced", id)
        assert {home.end(id) for id in ids} == {"SUCCEEDED"}
    spans = exported.get_finished_spans()
    sampled = [id for id in ids if sampler.should_sample(None, trace_id_of(id), "").decision.is_sampled()]
    assert 0 < len(sampled) < len(ids)
    # An execution, two steps, and two attempts of each with a call.
    assert {id: sum(span.context.trace_id == trace_id_of(id) for span in spans) for id in sampled} == dict.fromkeys(
        sampled, 7
    )
    assert len(spans) == 7 * len(sampled)


def test_a_step_in_a_process_of_its_pool_has_its_span(exported: Exported, tmp_path: Path) -> None:
    registry = Registry([pooled])
    with Runtime(registry, tmp_path / "test.db", processes={"apart": 1}, telemetry=Telemetry()) as runtime:
        home = EmbeddedHome(runtime)
        home.start("pooled", "one")
        assert home.end("one") == "SUCCEEDED"
        result = runtime.call(runtime.operations.read("one")).result
    span = exported.only("where_am_i")
    assert result == f'"{span.context.trace_id:032x}-{span.context.span_id:016x}"'


def test_the_metrics_count_starts_ends_and_attempts(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    counted = Telemetry(TracerProvider(), MeterProvider([reader]))
    with Runtime(Registry(WORKFLOWS), tmp_path / "test.db", telemetry=counted) as runtime:
        home = EmbeddedHome(runtime)
        for workflow, id in (("priced", "one"), ("failing", "two")):
            home.start(workflow, id)
            home.end(id)
    points = {name: getattr(point, "value", None) or point.count for name, point in points_of(reader).items()}
    failed = ("stepfast.outcome", "FAILED"), ("stepfast.step", "fail")
    assert points["stepfast.execution.starts", ("stepfast.workflow", "priced")] == 1
    assert points["stepfast.execution.ends", ("stepfast.status", "FAILED"), ("stepfast.workflow", "failing")] == 1
    assert points["stepfast.step.attempts", ("error.type", "tests.telemetry.flows.Refused"), *failed] == 1
    assert points["stepfast.step.attempts", ("stepfast.outcome", "SUCCEEDED"), ("stepfast.step", "fetch")] == 3
    # Three retries, and the first steps of both executions: the second step of the first one is chained.
    assert points["stepfast.step.lateness", ("stepfast.step", "fetch")] == 5


@pytest.mark.parametrize("home", HOMES)
def test_waits_are_measured_and_how_late_timers_and_steps_are(
    home: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics._internal, "get_meter_provider", lambda: provider)
    with home(tmp_path) as running:
        running.start("awaiting", "one")
        running.signal("one", "approved", 7, "s1", "")
        assert running.end("one") == "SUCCEEDED"
    points = points_of(reader)
    wait = points["stepfast.wait.duration", ("stepfast.wait", "signal"), ("stepfast.wait.name", "approved")]
    timer, step = points["stepfast.timer.lateness",], points["stepfast.step.lateness", ("stepfast.step", "unhurried")]
    assert (wait.count, timer.count, step.count) == (1, 1, 1)
    assert all(0.0 <= point.sum < 20.0 for point in (wait, timer, step))


def test_a_wait_for_a_limit_is_a_wait_and_no_lateness() -> None:
    reader = InMemoryMetricReader()
    measures = Measures(MeterProvider([reader]))
    waited = '[{"waited_for":"rate","limit":"bank","key":"a","since_at":103.0,"until_at":110.0}]'
    record = Record("charge", "step", "charge", "RUNNING", 0, attempt=1, started_at=112.0, waited=waited)
    measures.due(record, 100.0)
    measures.attempt(record)
    retry = Attempt(1, 112.0, 113.0, None, next_at=115.0)
    measures.attempt(replace(record, attempt=2, started_at=118.0, attempts=(retry,)))
    points = points_of(reader)
    late = points["stepfast.step.lateness", ("stepfast.step", "charge")]
    assert (late.count, late.min, late.max) == (2, 3.0, 5.0)
    wait = points["stepfast.wait.duration", ("stepfast.wait", "rate"), ("stepfast.wait.name", "bank")]
    assert (wait.count, wait.sum) == (1, 7.0)


def points_of(reader: InMemoryMetricReader) -> dict[tuple[Any, ...], Any]:
    """The points of all metrics, by the name of the metric and its attributes."""
    data: Any = reader.get_metrics_data()
    return {
        (metric.name, *sorted(point.attributes.items())): point
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }


@pytest.mark.parametrize("home", HOMES)
def test_without_an_sdk_everything_runs(home: Any, tmp_path: Path) -> None:
    with home(tmp_path) as running:
        running.start("priced", "one")
        assert running.end("one") == "SUCCEEDED"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "stepfast.telemetry"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(StartupError, match=r"pip install 'stepfast\[opentelemetry\]'"):
        telemetry.telemetry_if(True)


def test_nothing_is_imported_that_was_not_asked_for() -> None:
    program = "import sys, stepfast, stepfast.local.dev, stepfast.functions.step; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
