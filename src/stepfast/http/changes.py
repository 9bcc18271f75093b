"""What has changed in an execution since a cursor, as events. Pure: the stored state alone says it.

A cursor holds a short hash of everything that its reader has seen: the state of the execution, and of its commands, the
latest KEPT of them by time. So nothing is kept for a reader between two requests, any process can answer the next one,
and whatever a reader has not confirmed is sent again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

from stepfast.engine.arguments import foreign_cursor
from stepfast.http import views
from stepfast.model import ENDED, Execution, Record
from stepfast.records import dataclass
from stepfast.shown import status_value

Object = dict[str, Any]

KEPT = 256
"""Commands that a cursor knows one by one, and events of one answer about commands.

A cursor has 2,400 characters at most.
"""
_HASH = 6


@dataclass(frozen=True, slots=True)
class NewEvents:
    """events: in the order of time. after: the cursor behind them. ended: the execution has ended, and all is said."""

    events: list[Object]
    after: str
    ended: bool


def since(execution: Execution, records: Sequence[Record], cursor: str | None) -> NewEvents:
    """The events that a reader with this cursor has not seen; without one, the state of now as events.

    Raises InvalidRequest for a cursor that no answer has given.
    """
    known, seen, floor = _parts_of(cursor)
    state = {kind: (_hash(kind, values), values) for kind, values in _state_of(execution)}
    happened: list[tuple[float, Object]] = []
    latest = sorted(((_changed_at(record), record.id, record) for record in records), key=lambda each: each[:2])
    kept = latest[-KEPT:]
    hashes = [_mark(record, execution.run) for _, _, record in kept]
    for (at, _, record), mark in zip(kept, hashes, strict=True):
        if mark not in seen and at >= floor:
            happened.append((at, _command(record, at)))
    happened.sort(key=lambda each: each[0])
    events = [event for _, event in happened]
    events += [values for kind, (mark, values) in state.items() if known.get(kind) != mark and _says(values, known)]
    after = _cursor_of({kind: mark for kind, (mark, _) in state.items()}, hashes, kept[0][0] if latest[KEPT:] else 0.0)
    return NewEvents(events, after, execution.status in ENDED)


def _state_of(execution: Execution) -> Iterator[tuple[str, Object]]:
    """The end of an execution comes last."""
    yield "status", {"type": "status", "value": status_value(execution.shown)}
    yield "labels", {"type": "labels", "labels": dict(execution.labels)}
    yield "progress", {"type": "progress", "maps": json.loads(execution.progress) if execution.progress else []}
    error = execution.error
    yield (
        "execution",
        {
            "type": "execution",
            "status": execution.status,
            "generation": execution.generation,
            "run": execution.run,
            "error": None if error is None else {"type": error.type, "step": error.step},
            "ended_at": views.time_or_none(execution.ended_at),
        },
    )


def _says(values: Object, known: dict[str, str]) -> bool:
    """Whether an event says something: what there never was is not worth an event to a new reader."""
    return bool(known) or values["type"] == "execution" or any(values[name] for name in values if name != "type")


def _command(record: Record, at: float) -> Object:
    error = record.error
    return {
        "type": "command",
        "id": record.id,
        "kind": record.kind,
        "name": record.name,
        "status": record.status,
        "attempt": record.attempt,
        "progress": json.loads(record.progress) if record.progress else None,
        "error": None if error is None else {"type": error.type, "step": error.step},
        "at": views.time(at),
    }


def _changed_at(record: Record) -> float:
    attempt = record.attempts[-1].ended_at if record.attempts else None
    return max(record.first_at or 0.0, record.started_at or 0.0, record.ended_at or 0.0, attempt or 0.0)


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_HASH]


def _mark(record: Record, run: int) -> str:
    """As `_hash(id, revision, generation, run)`, with quicker JSON: a turn of a stream makes one for each command."""
    text = f"[{encode_basestring_ascii(record.id)}, {record.revision}, {record.generation}, {run}]"
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH]


def _cursor_of(known: dict[str, str], hashes: Sequence[str], floor: float) -> str:
    held = [known, "".join(hashes), floor]
    return base64.urlsafe_b64encode(json.dumps(held, separators=(",", ":")).encode()).decode()


def _parts_of(cursor: str | None) -> tuple[dict[str, str], frozenset[str], float]:
    if cursor is None:
        return {}, frozenset(), 0.0
    try:
        known, text, floor = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not isinstance(known, dict) or not isinstance(text, str) or not isinstance(floor, int | float):
            raise foreign_cursor()
    except (ValueError, TypeError, RecursionError) as error:
        raise foreign_cursor() from error
    return known, frozenset(text[at : at + _HASH] for at in range(0, len(text), _HASH)), float(floor)
