"""The history of an execution, told from its items alone."""

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.history import failure_json, history_of, record_events
from stepfast.model import Attempt, Cursor, Event, Execution, Failure, Record, Signal, Snapshot, close_attempt

EXECUTION = Execution("e1", "report", '{"quarter":"Q1"}', 100.0)
FAILURE = Failure("ConnectionError", "refused", "render", "Traceback ...")


def history(
    *records: Record, execution: Execution = EXECUTION, signals: tuple[Signal, ...] = (), kept: Any = ()
) -> Any:
    snapshot = Snapshot(execution, Cursor(), {one.id: one for one in records}, signals)
    return [(one.at, one.type, one.command) for one in history_of(snapshot, kept)]


def succeeded(id: str = "render", started: float = 110.0, ended: float = 115.0) -> Record:
    return Record(
        id, "step", id, "SUCCEEDED", 0, attempt=1, output="[1]", first_at=started, started_at=started, ended_at=ended
    )


def test_a_new_execution_has_been_started_and_that_is_all() -> None:
    events = history_of(Snapshot(EXECUTION, Cursor(), {}), [])
    assert [(one.at, one.type, one.command) for one in events] == [(100.0, "execution-started", None)]
    assert events[0].details == {"workflow": "report", "input": {"quarter": "Q1"}}


def test_a_step_is_told_from_its_start_to_its_end() -> None:
    assert history(succeeded()) == [
        (100.0, "execution-started", None),
        (110.0, "attempt-started", "render"),
        (115.0, "step-succeeded", "render"),
    ]


def test_an_outcome_tells_its_value() -> None:
    ended = list(record_events(succeeded()))[-1]
    assert ended.details == {"attempt": 1, "output": [1]}


def test_a_running_step_has_only_begun() -> None:
    running = Record("a", "step", "a", "RUNNING", 0, attempt=1, started_at=5.0, first_at=5.0)
    assert [one.type for one in record_events(running)] == ["attempt-started"]


def test_attempts_are_told_one_by_one_with_what_follows() -> None:
    record = Record("a", "step", "a", "RUNNING", 0, attempt=1, first_at=10.0, started_at=10.0)
    record = replace(close_attempt(record, 11.0, FAILURE, 13.0), status="RETRYING", due=13.0, error=FAILURE)
    assert [(one.at, one.type) for one in record_events(record)] == [
        (10.0, "attempt-started"),
        (11.0, "attempt-failed"),
    ]
    assert list(record_events(record))[-1].details == {
        "attempt": 1,
        "error": failure_json(FAILURE),
        "next_at": 13.0,
    }
    record = replace(record, status="RUNNING", attempt=2, started_at=13.0, due=None)
    record = replace(close_attempt(record, 14.0, FAILURE, None), status="FAILED", error=FAILURE, ended_at=14.0)
    events = list(record_events(record))
    assert [(one.at, one.type) for one in events] == [
        (10.0, "attempt-started"),
        (11.0, "attempt-failed"),
        (13.0, "attempt-started"),
        (14.0, "attempt-failed"),
        (14.0, "step-failed"),
    ]
    assert "next_at" not in events[-2].details
    assert events[-1].details == {"attempt": 2, "error": failure_json(FAILURE)}


def test_an_attempt_whose_process_has_died_is_interrupted_and_has_the_cause() -> None:
    cause = Failure("StepInterrupted", "the process 7 of pool 'cpu' was ended by SIGKILL", "a")
    record = Record("a", "step", "a", "RUNNING", 0, attempt=1, first_at=10.0, started_at=10.0)
    record = replace(close_attempt(record, 11.0, cause, None), status="RETRYING", due=11.0)
    ended = list(record_events(record))[-1]
    assert (ended.at, ended.type) == (11.0, "attempt-interrupted")
    assert ended.details["error"] == failure_json(cause)


def test_an_attempt_cut_off_by_a_crash_is_told_as_interrupted() -> None:
    record = Record("a", "step", "a", "RUNNING", 0, attempt=1, first_at=10.0, started_at=10.0)
    record = close_attempt(record, None, None, 50.0)
    record = replace(record, attempt=2, started_at=50.0)
    assert [(one.at, one.type) for one in record_events(record)] == [
        (10.0, "attempt-started"),
        (50.0, "attempt-interrupted"),
        (50.0, "attempt-started"),
    ]


def test_of_very_many_attempts_the_last_fifty_are_kept() -> None:
    record = Record("a", "step", "a", "RUNNING", 0, first_at=0.0)
    for number in range(1, 81):
        record = replace(record, attempt=number, started_at=float(number))
        record = close_attempt(record, number + 0.5, FAILURE, number + 1.0)
    assert [one.number for one in record.attempts] == list(range(31, 81))
    assert isinstance(record.attempts[0], Attempt)


@pytest.mark.parametrize("status", ["OPEN", "SUCCEEDED", "CANCELLED"])
def test_timers_and_signal_waits_have_no_attempts(status: Any) -> None:
    ended = None if status == "OPEN" else 20.0
    timer = Record(":timer", "timer", "timer", status, 0, ended_at=ended)
    wait = Record("signal:go", "signal", "go", status, 0, output="1", signal="s-1", ended_at=ended)
    expected = [] if status == "OPEN" else [f"timer-{status.lower()}", f"signal-{status.lower()}"]
    assert [one.type for record in (timer, wait) for one in record_events(record)] == expected


def test_a_signal_is_told_when_it_came_and_when_it_was_taken() -> None:
    wait = Record("signal:go", "signal", "go", "SUCCEEDED", 0, output='{"a":1}', signal="s-1", ended_at=130.0)
    sent = Signal("s-1", "go", '{"a":1}', 120.0)
    assert history(wait, signals=(sent,)) == [
        (100.0, "execution-started", None),
        (120.0, "signal-received", None),
        (130.0, "signal-succeeded", "signal:go"),
    ]
    assert next(iter(record_events(wait))).details == {"signal_id": "s-1", "output": {"a": 1}}


def test_events_of_several_commands_are_told_by_time() -> None:
    told = history(succeeded("b", 120.0, 140.0), succeeded("a", 110.0, 150.0))
    assert [(at, command) for at, _, command in told] == [
        (100.0, None),
        (110.0, "a"),
        (120.0, "b"),
        (140.0, "b"),
        (150.0, "a"),
    ]


def test_events_of_one_moment_stand_in_the_order_they_must_have_happened() -> None:
    chained = [succeeded("c", 110.0, 110.0), succeeded("a", 110.0, 110.0)]
    told = history(*chained, execution=replace(EXECUTION, status="SUCCEEDED", result="2", ended_at=110.0))
    assert [type for _, type, _ in told] == [
        "execution-started",
        "attempt-started",
        "step-succeeded",
        "attempt-started",
        "step-succeeded",
        "execution-succeeded",
    ]
    assert [command for _, _, command in told] == [None, "a", "a", "c", "c", None]


def test_the_end_is_told_with_its_result_or_error() -> None:
    won = replace(EXECUTION, status="SUCCEEDED", result='{"ok":true}', ended_at=200.0)
    lost = replace(EXECUTION, status="FAILED", error=FAILURE, ended_at=200.0, generation=2)
    ends = [history_of(Snapshot(one, Cursor(), {}), [])[-1] for one in (won, lost)]
    assert [(one.at, one.type) for one in ends] == [(200.0, "execution-succeeded"), (200.0, "execution-failed")]
    assert ends[0].details == {"generation": 0, "result": {"ok": True}}
    assert ends[1].details == {"generation": 2, "error": failure_json(FAILURE)}


def test_a_result_of_null_is_told() -> None:
    ended = replace(EXECUTION, status="SUCCEEDED", result="null", ended_at=200.0)
    assert history_of(Snapshot(ended, Cursor(), {}), [])[-1].details == {"generation": 0, "result": None}


def test_cancelling_is_told_of_the_execution_and_its_commands() -> None:
    record = replace(succeeded(), status="CANCELLED", output=None, ended_at=120.0)
    told = history(record, execution=replace(EXECUTION, status="CANCELLED", ended_at=120.0))
    assert told[-2:] == [(120.0, "step-cancelled", "render"), (120.0, "execution-cancelled", None)]


def test_what_a_resume_has_put_aside_stands_in_its_place() -> None:
    kept = [
        Event(115.0, "step-failed", "render", {}),
        Event(116.0, "execution-failed", None, {"generation": 0}),
        Event(130.0, "execution-resumed", None, {"generation": 1}),
    ]
    told = history(succeeded("render", 131.0, 135.0), execution=replace(EXECUTION, generation=1), kept=kept)
    assert [type for _, type, _ in told] == [
        "execution-started",
        "step-failed",
        "execution-failed",
        "execution-resumed",
        "attempt-started",
        "step-succeeded",
    ]


def test_the_same_items_tell_the_same_history() -> None:
    records = [succeeded(f"s{n}", 100.0 + n % 3, 110.0) for n in range(9)]
    assert history(*records) == history(*reversed(records))


def test_no_failure_is_null() -> None:
    assert failure_json(None) is None
    assert failure_json(FAILURE) == {
        "type": "ConnectionError",
        "message": "refused",
        "step": "render",
        "traceback": "Traceback ...",
    }
