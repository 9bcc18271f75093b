"""Turns the caller's values into what is sent: plain JSON, checked ids, and times in the form of the API."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stepfast.errors import InvalidRequest, NotStorable

if TYPE_CHECKING:
    from stepfast.values.codec import Codec

# A segment `.` or `..` would be resolved and removed from the URL before it is sent (RFC 3986, section 5.2.4).
SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}")


def plain(value: Any, where: str, codec: Codec | None = None) -> Any:
    """Plain JSON values, as the server's codec would store the value.

    where: the name of the argument, for the message. codec: the codec of the type that the receiver takes, where it is
    known. Raises InvalidRequest for a value that cannot be stored.
    """
    # Imported here because pydantic takes long to load: a command that sends no values does not need it.
    from pydantic import BaseModel, JsonValue

    from stepfast.values.codec import Codec

    if codec is not None:
        return _plain_as(codec, value, where)
    typed = isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type))
    return _sendable(Codec(type(value) if typed else JsonValue, where), value, where)


def _plain_as(codec: Codec, value: Any, where: str) -> Any:
    """As `plain`, for a value of the receiver's type or for the plain JSON values of such a value."""
    try:
        return codec.sendable(value)
    except NotStorable as error:
        try:
            sent = plain(value, where)
            codec.decode(encoded({"value": sent}).decode()[len('{"value": ') : -1])
        except InvalidRequest:
            raise InvalidRequest(str(error), ((where + error.path, str(error)),)) from error
        return sent


def _sendable(codec: Codec, value: Any, where: str) -> Any:
    try:
        return codec.sendable(value)
    except NotStorable as error:
        raise InvalidRequest(str(error), ((where + error.path, str(error)),)) from error


def encoded(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise InvalidRequest(f"this cannot be sent as JSON: {error}") from error


def check_query(query: dict[str, Any]) -> None:
    """Raises InvalidRequest for a text that UTF-8 has no bytes for: Python reads arguments of other encodings so."""
    for name, value in query.items():
        for text in value if isinstance(value, list | tuple) else (value,):
            try:
                str(text).encode()
            except UnicodeEncodeError as error:
                raise InvalidRequest(f"{name} is not UTF-8 text: {text!r}") from error


def segment(text: str, kind: str) -> str:
    if not isinstance(text, str) or not SEGMENT.fullmatch(text):
        raise InvalidRequest(f"{kind} is 1 to 128 of A-Z a-z 0-9 . _ -, not {text!r}")
    return text


def moment(value: datetime | str | float | None) -> str | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return None if value is None else str(value)
