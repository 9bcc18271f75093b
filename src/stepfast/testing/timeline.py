"""Orders the history of an execution, and prints it as lines for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from stepfast.engine.history import around_end, history_of
from stepfast.model import Event, Execution, Snapshot
from stepfast.simulator.simulated_loop import moment

MAX_SHOWN_EVENTS = 40
"""A timeline shows the last of a longer history."""

_AFTER_FAILURE = {"execution-closed": 1, "execution-reopened": 1, "execution-resumed": 2}
"""Kept events that come after a failure of the same moment, which a resume keeps later than the first two."""


def chronological(snapshot: Snapshot, kept: Sequence[Event], issued: Sequence[str]) -> list[Event]:
    """The history in the order of time. Events of one moment are ordered by generation, then as the code asked.

    Simulated time stops while quick steps run, so many events share a moment.
    """
    events, generation = history_of(snapshot, kept), 0
    asked = {id: number for number, id in enumerate(issued)}
    taken = {record.signal: record for record in snapshot.records.values() if record.signal is not None}
    after_end = around_end(snapshot.execution, kept)[1]
    resumed: dict[int, int] = {}  # kept events, by the generation that they ended
    for event in kept:
        resumed[id(event)] = generation
        generation += event.type == "execution-resumed"

    def rank(event: Event) -> tuple[float, float, float]:
        if event.type == "execution-started":
            return event.at, -1, 0
        if event in after_end:
            return event.at, float("inf"), 1
        if id(event) in resumed:  # stays where it stood, after all else of its generation
            return event.at, resumed[id(event)] + 0.5, _AFTER_FAILURE.get(event.type, 0)
        if event.type == "signal-received":
            record = taken.get(str(event.details["signal_id"]))
            return event.at, record.generation if record else 0, asked.get(record.id, 0) - 0.5 if record else 0
        record = snapshot.records.get(event.command or "")
        if record is None:  # the end
            return event.at, float("inf"), 0
        return event.at, record.generation, asked.get(record.id, len(asked))

    return sorted(events, key=rank)


def timeline(execution: Execution, events: Sequence[Event]) -> str:
    """A line for each event: simulated time since the start, what happened, with what."""
    lines = [f"execution {execution.execution_id!r} of {execution.workflow}: {execution.status}"]
    began = execution.created_at
    lines.append(f"  started {moment(began):%Y-%m-%d %H:%M:%S} UTC, times are since then")
    if len(events) > MAX_SHOWN_EVENTS:
        lines.append(f"  … {len(events) - MAX_SHOWN_EVENTS} earlier events")
    lines += [f"  {_since(event.at - began):>16}  {_line(event)}" for event in events[-MAX_SHOWN_EVENTS:]]
    return "\n".join(lines)


def _since(seconds: float) -> str:
    whole = timedelta(seconds=round(seconds, 3))
    return str(whole).removesuffix("000") if whole.microseconds else str(whole)


def _line(event: Event) -> str:
    details: dict[str, Any] = dict(event.details)
    line = f"{event.type} {event.command or ''}".strip()
    if "attempt" in details and event.type.startswith("attempt"):
        line += f" #{details['attempt']}"
    if event.type == "signal-received":
        line += f" {details['name']} {_short(details['payload'])}"
    if error := details.get("error"):
        line += f": {error['type']}: {_short(error['message'])}"
    for key in ("input", "output", "result"):
        if key in details:
            line += f" {_short(details[key])}"
    if "next_at" in details and details["next_at"] is not None:
        line += f"; again {moment(details['next_at']):%m-%d %H:%M:%S}"
    return line


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 100 else text[:100] + "…"
