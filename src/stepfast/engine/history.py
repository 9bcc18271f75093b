"""What happened to an execution, in order, as its items tell it. Pure; the same items give the same history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from stepfast.engine.limits_waited import waits_in
from stepfast.model import Attempt, Event, Execution, Failure, Record, Signal, Snapshot
from stepfast.replay.handlers import SIGNAL as UPDATES
from stepfast.standing import Intervention
from stepfast.stored_text import StoredText, text_of

_DONE = {
    "pause": "paused",
    "hold": "held",
    "unpause": "unpaused",
    "close": "closed",
    "reopen": "reopened",
    "cancel": "cancelled",
    "terminate": "cancelled",
}
"""The events of interventions, by what was done."""


_AFTER_FAILURE = frozenset({"execution-closed", "execution-reopened"})


def history_of(
    snapshot: Snapshot,
    kept: Sequence[Event],
    not_taken: Mapping[str, str] = MappingProxyType({}),
    *,
    unread: bool = False,
) -> list[Event]:
    """Every event of an execution, by time; `kept` are those that resumes have put aside.

    not_taken: why nobody has taken a signal, by its id. unread: as of record_events.

    Events of one moment stand in the order in which they must have happened: a start before its end,
    a command before what follows from it.
    """
    execution = snapshot.execution
    kept, after_end = around_end(execution, kept)
    events = [*begin_events(execution), *kept, *signal_events(snapshot.signals, not_taken)]
    for record in sorted(snapshot.records.values(), key=begun):
        events.extend(record_events(record, unread=unread))
    events.sort(key=lambda event: event.at)
    return [*events, *end_events(execution), *after_end]


def around_end(execution: Execution, kept: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """Kept events from before the end of an execution, and those from after it: it was closed, or reopened."""
    last = max((place for place, event in enumerate(kept) if event.type == "execution-resumed"), default=-1)
    failed = execution.status in ("FAILED", "CLOSED")
    later = [event for event in kept[last + 1 :] if failed and event.type in _AFTER_FAILURE]
    before = [event for event in kept if event not in later]
    if execution.status == "CLOSED" and execution.intervention is not None:
        later.append(intervention_event(execution.intervention))
    return before, later


def started_event(execution: Execution) -> Event:
    """The start of an execution, or of the run that it is in."""
    details: dict[str, object] = {"workflow": execution.workflow, "input": json.loads(execution.input)}
    if execution.run > 1:
        details["run"] = execution.run
    type = "execution-started" if execution.run == 1 else "run-started"
    return Event(execution.run_began_at, type, None, details)


def begin_events(execution: Execution) -> Iterator[Event]:
    """The start of an execution or a run, and where the first run of a fork comes from."""
    yield started_event(execution)
    if (forked := execution.forked) is not None and execution.run == 1:
        details: dict[str, object] = {"from": forked.execution_id, "run": forked.run, "before": list(forked.before)}
        named = {"by": forked.by, "why": forked.why}
        yield Event(forked.at, "execution-forked", None, details | {name: v for name, v in named.items() if v})


def signal_events(signals: Iterable[Signal], not_taken: Mapping[str, str]) -> Iterator[Event]:
    """not_taken: as of history_of."""
    for signal in signals:
        if signal.name == UPDATES:
            arrival = json.loads(signal.payload)
            details = {"update_id": arrival["id"], "name": arrival["name"], "payload": arrival["payload"]}
            yield Event(signal.received_at, "update-received", None, details)
            continue
        details = {"signal_id": signal.signal_id, "name": signal.name, "payload": json.loads(signal.payload)}
        if signal.signal_id in not_taken:
            details["not_taken"] = not_taken[signal.signal_id]
        yield Event(signal.received_at, "signal-received", None, details)


def end_events(execution: Execution) -> Iterator[Event]:
    """The end of an execution, if it has ended, or of an earlier run."""
    if execution.continued:
        yield Event(execution.ended_at or 0.0, "run-continued", None, {"run": execution.run + 1})
    elif execution.status == "PAUSED":
        if execution.intervention is not None:
            yield intervention_event(execution.intervention)
    elif execution.status != "RUNNING":
        hand = execution.intervention
        ended: dict[str, object] = {"generation": execution.generation}
        if execution.error is not None:
            ended["error"] = failure_json(execution.error)
        if execution.result is not None:
            ended["result"] = json.loads(execution.result)
        if hand is not None and execution.status == "CANCELLED" and hand.action in ("cancel", "terminate"):
            ended |= _by_whom(hand)
        at = max(execution.ended_at or 0.0, execution.created_at)
        status = "failed" if execution.status == "CLOSED" else execution.status.lower()
        yield Event(at, f"execution-{status}", None, ended)


def intervention_event(hand: Intervention) -> Event:
    """What an operator has done: who, when and why. parent: the execution that it was done with."""
    return Event(hand.at, f"execution-{_DONE[hand.action]}", None, _by_whom(hand))


def _by_whom(hand: Intervention) -> dict[str, object]:
    says = {"by": hand.by, "why": hand.why, "parent": hand.parent}
    return {name: value for name, value in says.items() if value is not None}


def begun(record: Record) -> tuple[float, str]:
    """By which records are sorted, so that what follows from a command comes behind it."""
    return record.first_at or record.ended_at or 0.0, record.id


def record_events(record: Record, *, unread: bool = False) -> Iterator[Event]:
    """What happened to a command, as its record tells it: attempts, then its outcome.

    unread: leaves an output that is stored apart where it is: the event has the StoredText.
    """
    if record.repair is not None:
        repair = json.loads(record.repair)
        yield Event(repair.pop("at"), "step-repaired", record.id, repair)
    for wait in waits_in(record.waited):
        yield Event(wait["until_at"], "step-waited", record.id, wait)
    if record.kind == "step":
        for attempt in record.attempts:
            yield Event(attempt.started_at, "attempt-started", record.id, {"attempt": attempt.number})
            end: dict[str, object] = {"attempt": attempt.number, "error": failure_json(attempt.error)}
            if attempt.next_at is not None:
                end["next_at"] = attempt.next_at
            ended = attempt.ended_at if attempt.ended_at is not None else attempt.next_at or attempt.started_at
            yield Event(ended, _end_of(attempt), record.id, end)
        last = record.attempts[-1].number if record.attempts else 0
        if record.attempt > last and record.started_at is not None:
            yield Event(record.started_at, "attempt-started", record.id, {"attempt": record.attempt})
    if record.recorded and record.ended_at is not None:
        details = dict[str, object]()
        if record.kind == "step":
            details["attempt"] = record.attempt
        if record.signal is not None:
            details["signal_id"] = record.signal
        if record.output is not None:
            left = unread and isinstance(record.output, StoredText)
            details["output"] = record.output if left else json.loads(text_of(record.output))
        if record.error is not None:
            details["error"] = failure_json(record.error)
        yield Event(record.ended_at, f"{record.kind}-{record.status.lower()}", record.id, details)


def _end_of(attempt: Attempt) -> str:
    """The event with which a past attempt has ended."""
    if attempt.crashed:
        return "attempt-interrupted"
    return "attempt-stopped" if attempt.uses_no_try else "attempt-failed"


def failure_json(failure: Failure | None) -> dict[str, object] | None:
    """type, message, step and traceback of a failure, as the API shows it."""
    if failure is None:
        return None
    shown: dict[str, object] = {
        "type": failure.type,
        "message": failure.message,
        "step": failure.step,
        "traceback": failure.traceback,
    }
    return shown if failure.error_class is None else {**shown, "error_class": failure.error_class}
