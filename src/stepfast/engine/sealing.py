"""Which parts of executions, records, signals and events are encrypted where they are stored (rule *encryption*). Pure.

Encrypted are inputs, results, payloads, progress, status values, what operators set by hand, details of history, texts
and tracebacks of errors, and digests of all these, since a digest of a short value can be guessed. Ids, names, labels,
statuses, times, classes of errors, keys of limits and starts, and reasons that operators give are not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stepfast.model import Event, Execution, Failure, Link, Record, Signal, changed
from stepfast.shown import ShownState, mark_in
from stepfast.standing import ForkedFrom
from stepfast.stored_text import StoredText, Text, text_of
from stepfast.values.encryption import DataKey, opened_size

SEALED = "#sealed"
"""Stands before the classes of an encrypted error, and names the only detail of an encrypted event."""


class SealedText(StoredText):
    """The text of an encrypted value that its store has not read yet."""

    __slots__ = ("_key", "_opened_at", "inner")

    def __init__(self, inner: StoredText, key: DataKey, place: tuple[str, ...]) -> None:
        self.inner, self._key, self._opened_at = inner, key, place
        self.size = None if inner.size is None else opened_size(inner.size)

    @property
    def digest(self) -> str:  # type: ignore[override]
        return _sha256(self.read())

    @property
    def place(self) -> object:  # type: ignore[override]
        return self.inner.place

    def read(self) -> str:
        return self._key.open(self.inner.read(), *self._opened_at)

    def read_with(self, others: Any) -> str:
        inner = [other.inner for other in others if isinstance(other, SealedText)]
        return self._key.open(self.inner.read_with(inner), *self._opened_at)

    def is_text(self, text: str) -> bool:
        return self.inner.is_text(self._key.seal(text, *self._opened_at))  # The same text has the same ciphertext.

    def is_of(self, key: DataKey, place: tuple[str, ...]) -> bool:
        """Whether it is encrypted as it would be for this key and this place."""
        return self._key.id == key.id and self._opened_at == place

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredText):
            return self.read() == other.read()
        return self.is_text(other) if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


# -- values ------------------------------------------------------------------------------------------------


def _seal(key: DataKey, value: Text | None, *place: str) -> Any:
    if value is None:
        return None
    if isinstance(value, SealedText) and value.is_of(key, place):
        return value.inner  # It stays where it is.
    return key.seal(text_of(value), *place)


def _open(key: DataKey, value: Text | None, *place: str) -> Any:
    if value is None or value == "":
        return value
    return SealedText(value, key, place) if isinstance(value, StoredText) else key.open(value, *place)


def seal_failure(key: DataKey, failure: Failure | None, *place: str) -> Failure | None:
    if failure is None:
        return None
    texts = json.dumps([failure.message, failure.traceback], ensure_ascii=False)
    return replace(failure, message=key.seal(texts, "error", *place), traceback=None, bases=(SEALED, *failure.bases))


def open_failure(key: DataKey, failure: Failure | None, *place: str) -> Failure | None:
    if failure is None or failure.bases[:1] != (SEALED,):
        return failure
    message, traceback = json.loads(key.open(failure.message, "error", *place))
    return replace(failure, message=message, traceback=traceback, bases=failure.bases[1:])


# -- executions --------------------------------------------------------------------------------------------


def seal_execution(key: DataKey, execution: Execution) -> Execution:
    """As it is stored. Its fingerprint is there in any case: that tells that it is encrypted, and by which key."""
    run = str(execution.run)
    return replace(
        execution,
        input=key.seal(execution.input, "input", run),
        result=_seal(key, execution.result, "result", run),
        error=seal_failure(key, execution.error, run, ""),
        sent=key.seal(execution.sent or "", "sent"),
        link=seal_link(key, execution.link),
        progress=_seal(key, execution.progress, "progress"),
        shown=_seal_shown(key, execution.shown),
        forked=_seal_forked(key, execution.forked),
    )


def open_execution(key: DataKey, execution: Execution) -> Execution:
    """What `seal_execution` was given. Values that were not read stay away."""
    run = str(execution.run)
    return replace(
        execution,
        input=_open(key, execution.input, "input", run),
        result=_open(key, execution.result, "result", run),
        error=open_failure(key, execution.error, run, ""),
        sent=_open(key, execution.sent, "sent") or None,
        link=_open_link(key, execution.link),
        progress=_open(key, execution.progress, "progress"),
        shown=_open_shown(key, execution.shown),
        forked=_open_forked(key, execution.forked),
    )


def veiled(execution: Execution) -> Execution:
    """An encrypted execution whose key cannot be had, for a list: a note stands for what is encrypted."""
    note = "(encrypted; its data key cannot be had, and the log says why)"
    error, link, forked = execution.error, execution.link, execution.forked
    return replace(
        execution,
        input=json.dumps(note) if execution.input else "",
        result=None if execution.result is None else json.dumps(note),
        error=None if error is None else replace(error, message=note, traceback=None, bases=error.bases[1:]),
        sent=None,
        link=None if link is None else replace(link, asked=""),
        progress=None,
        shown=None,
        forked=None if forked is None else replace(forked, request=""),
    )


def seal_link(key: DataKey, link: Link | None) -> Link | None:
    """As it is stored: the same link always gives the same, since stores compare links."""
    return None if link is None else replace(link, asked=key.seal(link.asked, "asked"))


def _open_link(key: DataKey, link: Link | None) -> Link | None:
    return None if link is None else replace(link, asked=key.open(link.asked, "asked"))


def _seal_forked(key: DataKey, forked: ForkedFrom | None) -> ForkedFrom | None:
    return None if forked is None else replace(forked, request=key.seal(forked.request, "request"))


def _open_forked(key: DataKey, forked: ForkedFrom | None) -> ForkedFrom | None:
    return None if forked is None else replace(forked, request=_open(key, forked.request, "request"))


class SealedShown(ShownState):
    """What code shows, encrypted. Its mark is not, since stores compare it; nor are labels."""

    __slots__ = ()

    @property
    def text(self) -> str:
        return f"{self.mark} {self.value}"


def seal_shown(key: DataKey, shown: ShownState) -> ShownState:
    sealed = _seal_shown(key, shown.text) or ""
    return SealedShown(shown.mark, sealed[len(shown.mark) + 1 :], shown.labels, shown.base)


def _seal_shown(key: DataKey, text: str | None) -> str | None:
    if text is None:
        return None
    mark = mark_in(text)
    return f"{mark} {key.seal(text[len(mark) + 1 :], 'shown', mark)}"


def _open_shown(key: DataKey, text: str | None) -> str | None:
    if text is None:
        return None
    mark = mark_in(text)
    return f"{mark} {key.open(text[len(mark) + 1 :], 'shown', mark)}"


# -- records, signals, events --------------------------------------------------------------------------------


def seal_record(key: DataKey, record: Record, run: int) -> Record:
    """As it is stored. run: the number of the run that it is of."""
    place = (str(run), record.id)
    changes: dict[str, Any] = {
        name: _seal(key, value, name, *place)
        for name in ("input", "output", "repair", "progress")
        if (value := getattr(record, name)) is not None
    }
    if record.error is not None:
        changes["error"] = seal_failure(key, record.error, *place)
    if record.attempts:
        changes["attempts"] = tuple(
            replace(past, error=seal_failure(key, past.error, *place)) for past in record.attempts
        )
    if record.then is not None:
        then = record.then
        changes["then"] = type(then)(
            then.id, then.lease, then.generation, key.seal(then.digest, "then", *place), then.started_at
        )
    return changed(record, **changes) if changes else record


def open_record(key: DataKey, record: Record, run: int) -> Record:
    """What `seal_record` was given."""
    place = (str(run), record.id)
    changes: dict[str, Any] = {
        name: _open(key, value, name, *place)
        for name in ("input", "output", "repair", "progress")
        if (value := getattr(record, name)) is not None
    }
    if record.error is not None:
        changes["error"] = open_failure(key, record.error, *place)
    if record.attempts:
        changes["attempts"] = tuple(
            replace(past, error=open_failure(key, past.error, *place)) for past in record.attempts
        )
    if record.then is not None:
        then = record.then
        changes["then"] = type(then)(
            then.id, then.lease, then.generation, key.open(then.digest, "then", *place), then.started_at
        )
    return changed(record, **changes) if changes else record


def seal_signal(key: DataKey, signal: Signal) -> Signal:
    return replace(signal, payload=key.seal(signal.payload, "signal", signal.signal_id))


def open_signal(key: DataKey, signal: Signal) -> Signal:
    return replace(signal, payload=_open(key, signal.payload, "signal", signal.signal_id))


def seal_event(key: DataKey, event: Event) -> Event:
    if not event.details:
        return event
    return replace(event, details={SEALED: key.seal(json.dumps(dict(event.details)), "event", event.type)})


def open_event(key: DataKey, event: Event) -> Event:
    sealed = event.details.get(SEALED)
    if not isinstance(sealed, str):
        return event
    details: Mapping[str, object] = json.loads(key.open(sealed, "event", event.type))
    return replace(event, details=details)


def hint_place(run: int, command_id: str) -> tuple[str, ...]:
    """The place of a step's input in a message: that of the same input in its record."""
    return ("input", str(run), command_id)
