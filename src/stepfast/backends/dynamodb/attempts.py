"""Past attempts of a step in few bytes: every retry writes them all again, and each KB of a write is paid for.

The last three keep their tracebacks, older ones one line of their message, and what was tried before the last
twenty is dropped; the record still counts it. Equal failures are written once: a step that is retried mostly
fails the same way, and the newest failure stands in the record as well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepfast.model import Attempt, Failure

ATTEMPTS_KEPT = 20
TRACED = 3
OLD_MESSAGE_CHARACTERS = 200
"""Characters of the message that an attempt keeps once it is not one of the last three."""
EARLIER = 1_000
"""Characters at the end of a traceback of the last three, unless it is the record's own."""
_SAME = -1
"""Stands for the failure that is the record's own error."""


def json_text(value: Any) -> str:
    """Compact JSON that can be sent as UTF-8, also where a text holds half a surrogate pair."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        written.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return written


def failure_list(failure: Failure) -> list[Any]:
    listed: list[Any] = [failure.type, failure.message, failure.step, failure.traceback, failure.parked]
    listed += [failure.error_class, [*failure.bases] or None]
    while len(listed) > 4 and listed[-1] is None:  # as versions wrote them that did not know the last ones
        listed.pop()
    return listed


def failure_of(listed: Sequence[Any]) -> Failure:
    fields = [*listed[:6], *(tuple(bases or ()) for bases in listed[6:7])]
    return Failure(*fields)


def attempts_text(attempts: Sequence[Attempt], error: Failure | None) -> str:
    """The attempts as JSON: [failures, [[number, started, ended, next, index of its failure], …]]."""
    kept = attempts[-ATTEMPTS_KEPT:]
    failures: dict[Failure, int] = {}
    rows = []
    for position, attempt in enumerate(kept, start=1):
        index = None
        if attempt.error is not None:
            own = attempt.error == error
            index = (
                _SAME if own else failures.setdefault(_cut(attempt.error, len(kept) - position < TRACED), len(failures))
            )
        rows.append([attempt.number, attempt.started_at, attempt.ended_at, attempt.next_at, index])
    return json_text([[failure_list(failure) for failure in failures], rows])


def attempts_of(written: str, error: Failure | None) -> tuple[Attempt, ...]:
    failures, rows = json.loads(written)

    def failure(index: int | None) -> Failure | None:
        if index is None:
            return None
        return error if index == _SAME else failure_of(failures[index])

    return tuple(Attempt(number, started, ended, failure(index), at) for number, started, ended, at, index in rows)


def _cut(failure: Failure, recent: bool) -> Failure:
    if not recent:
        message = (
            failure.message
            if len(failure.message) <= OLD_MESSAGE_CHARACTERS
            else failure.message[:OLD_MESSAGE_CHARACTERS] + "…"
        )
        return replace(failure, message=message, traceback=None, bases=())
    traceback = failure.traceback
    if traceback is None or len(traceback) <= EARLIER:
        return failure
    return replace(failure, traceback="…" + traceback[-EARLIER:])
