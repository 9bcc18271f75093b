"""Executions as traces of OpenTelemetry: the same spans from both homes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from stepfast.telemetry.ids import execution_span_id, trace_id_of
from tests.telemetry.conftest import Exported
from tests.telemetry.homes import HOMES

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("home", HOMES)
def test_an_execution_is_a_trace_and_what_its_steps_call_hangs_below_them(
    home: Any, exported: Exported, tmp_path: Path
) -> None:
    with home(tmp_path) as running:
        running.start("priced", "one")
        assert running.end("one") == "SUCCEEDED"
    root = exported.only("priced")
    assert (root.context.trace_id, root.context.span_id) == (trace_id_of("one"), execution_span_id("one", 0))
    assert root.parent is None
    assert root.attributes["stepfast.status"] == "SUCCEEDED"
    steps = exported.named("fetch")
    assert [span.attributes["stepfast.step.id"] for span in steps] == ["fetch", "fetch#2"]
    assert {span.parent.span_id for span in steps} == {root.context.span_id}
    assert [event.name for event in steps[0].events] == ["attempt failed", "attempt started"]
    assert steps[0].events[0].attributes == {
        "stepfast.attempt": 1,
        "error.type": "tests.telemetry.flows.Refused",
    }
    calls = exported.named("GET /prices")
    assert [span.parent.span_id for span in calls] == [steps[n].context.span_id for n in (0, 0, 1, 1)]
    assert {span.context.trace_id for span in exported.spans} == {trace_id_of("one")}
    assert root.start_time <= steps[0].start_time <= steps[0].end_time <= steps[1].start_time <= root.end_time


@pytest.mark.parametrize("home", HOMES)
def test_a_resume_is_a_span_of_the_same_trace_linked_to_the_failed_one(
    home: Any, exported: Exported, tmp_path: Path
) -> None:
    with home(tmp_path) as running:
        running.start("failing", "one")
        assert running.end("one") == "FAILED"
        running.resume("one")
        assert running.end("one") == "FAILED"
    first, second = exported.named("failing")
    assert (first.status.status_code, first.status.description) == (StatusCode.ERROR, "Refused")
    assert second.context.trace_id == first.context.trace_id
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    below = {span.context.span_id: span.parent.span_id for span in exported.named("fail")}
    assert list(below.values()) == [first.context.span_id, second.context.span_id]
    assert len(exported.named("fetch")) == 1  # it is not run again, and a replay makes no span
    assert "5678" not in "".join(span.to_json() for span in exported.spans)


@pytest.mark.parametrize("home", HOMES)
def test_children_and_later_runs_are_traces_of_their_own_with_links(
    home: Any, exported: Exported, tmp_path: Path
) -> None:
    with home(tmp_path) as running:
        running.start("family", "parent")
        assert running.end("parent") == "SUCCEEDED"
        running.start("turning", "loop")
        assert running.end("loop") == "SUCCEEDED"
    child, parent = exported.only("priced"), exported.only("family")
    assert child.context.trace_id != parent.context.trace_id
    assert [link.context.span_id for link in child.links] == [parent.context.span_id]
    runs = exported.named("turning")
    assert [span.attributes["stepfast.status"] for span in runs] == ["CONTINUED", "SUCCEEDED"]
    assert [link.context.span_id for link in runs[1].links] == [runs[0].context.span_id]
    assert [span.context.trace_id for span in runs] == [trace_id_of("loop"), trace_id_of("loop~2")]


@pytest.mark.parametrize("home", HOMES)
def test_an_execution_links_to_the_span_of_its_caller(home: Any, exported: Exported, tmp_path: Path) -> None:
    with home(tmp_path) as running:
        running.start("priced", "one", CALLER)
        running.start("priced", "two", "00-nonsense")
        assert [running.end(id) for id in ("one", "two")] == ["SUCCEEDED", "SUCCEEDED"]
    spans = {span.attributes["stepfast.execution.id"]: span for span in exported.named("priced")}
    links = {id: [(link.context.trace_id, link.context.span_id) for link in span.links] for id, span in spans.items()}
    assert links == {"one": [(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)], "two": []}


@pytest.mark.parametrize("home", HOMES)
def test_a_signal_and_an_update_link_to_the_spans_of_their_senders(
    home: Any, exported: Exported, tmp_path: Path
) -> None:
    with home(tmp_path) as running:
        running.start("awaiting", "one")
        running.update("one", "add", 5, "u1", CALLER)
        running.signal("one", "approved", 7, "s1", CALLER)
        running.signal("one", "approved", 7, "s1", CALLER)  # a repeated call: nothing is sent, and no span written
        assert running.end("one") == "SUCCEEDED"
    root = exported.only("awaiting")
    for name in ("signal approved", "update add"):
        span = exported.only(name)
        assert (span.context.trace_id, span.parent.span_id) == (root.context.trace_id, root.context.span_id)
        assert [link.context.span_id for link in span.links] == [0xB7AD6B7169203331]
        assert span.links[0].attributes == {"stepfast.link": "caller"}
    wait, sent = exported.only("wait approved"), exported.only("signal approved")
    assert (wait.context.trace_id, wait.parent.span_id) == (root.context.trace_id, root.context.span_id)
    assert wait.attributes["stepfast.signal.id"] == sent.attributes["stepfast.signal.id"] == "s1"
    assert root.start_time <= wait.start_time <= sent.start_time <= wait.end_time
