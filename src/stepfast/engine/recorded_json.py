"""What is recorded of an execution as JSON values, and back: for whoever replays it or keeps it elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from functools import cache
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from stepfast.error_text import message_of
from stepfast.errors import Refused
from stepfast.model import Cursor, Event, Execution, Record, Signal
from stepfast.stored_text import StoredText

T = TypeVar("T")
VALUES = ("input", "output")
"""The fields of a record that hold values of any size, which may be stored apart."""


def values_of(item: Execution | Signal) -> dict[str, Any]:
    """The fields of an execution or of a signal, by name."""
    return asdict(item)


def record_values(record: Record) -> dict[str, Any]:
    """The fields of a record. A value that is stored apart is a StoredText, which is not read here."""
    return asdict(replace(record, input=None, output=None)) | {name: getattr(record, name) for name in VALUES}


def event_values(event: Event) -> dict[str, Any]:
    """The fields of an event."""
    return {"at": event.at, "type": event.type, "command": event.command, "details": dict(event.details)}


def order_values(cursor: Cursor) -> dict[str, Any]:
    """The fields of the order. The commands that were sent come by their ids."""
    return {**asdict(cursor), "applied": list(cursor.applied), "dispatched": sorted(cursor.dispatched)}


def execution_from(values: Mapping[str, Any]) -> Execution:
    """The execution with these fields. This and the functions below raise Refused for what stepfast has not written."""
    return _from(Execution, values)


def record_from(values: Mapping[str, Any]) -> Record:
    """The record with these fields."""
    return _from(Record, values)


def signal_from(values: Mapping[str, Any]) -> Signal:
    """The signal with these fields."""
    return _from(Signal, values)


def event_from(values: Mapping[str, Any]) -> Event:
    """The event with these fields."""
    return _from(Event, values)


def order_from(values: Mapping[str, Any]) -> Cursor:
    """The order with these fields."""
    return _from(Cursor, values)


def _from(kind: type[T], values: Mapping[str, Any]) -> T:
    """An object with these fields. A field that this version does not know counts, since it may decide a replay."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    foreign = sorted(name for name in values if name not in known and values[name] not in (None, False, 0, "", [], {}))
    if foreign:
        raise Refused(f"the recording has {', '.join(foreign)}, which this stepfast does not know: upgrade it")
    made: Any = kind  # a class can be hashed, which mypy does not know of a type[T]
    texts = {name: text for name, text in values.items() if isinstance(text, StoredText)}
    try:
        plain = {name: values[name] for name in values if name in known and name not in texts}
        return kind(**_adapter(made).validate_python(plain), **texts)
    except (ValidationError, TypeError) as error:
        fault = ": ".join(line.strip() for line in message_of(error).splitlines()[-2:])
        raise Refused(f"the recording is not one of stepfast: {fault}") from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # pydantic knows no StoredText, which is one of the types of a value, so values are described as texts here.
    hints = get_type_hints(kind) | (dict.fromkeys(VALUES, str | None) if kind is Record else {})
    return TypeAdapter(TypedDict(f"Recorded{kind.__name__}", hints, total=False))  # type: ignore[operator]
