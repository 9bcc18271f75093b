"""What callers of the operations send, checked: ids, names and JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from stepfast.errors import InvalidRequest
from stepfast.language.options import NAME

ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def check_id(id: str, field: str, noun: str) -> None:
    """InvalidRequest, naming the field, for an id that no path of the API could carry."""
    if not ID.fullmatch(id):
        raise InvalidRequest(f"{noun} is 1 to 128 of A-Z a-z 0-9 . _ -", ((field, "bad characters"),))


def check_signal_name(name: str) -> None:
    """InvalidRequest for a name that no workflow can wait for."""
    if not NAME.fullmatch(name):
        raise InvalidRequest("a signal name is 1 to 64 of A-Z a-z 0-9 . _ -", (("name", "bad characters"),))


_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
"""json.dumps makes a new one at each call with options."""


def json_text(value: Any) -> str:
    """Parsed JSON as the text that is stored; InvalidRequest for what JSON or UTF-8 cannot carry."""
    try:
        text = _ENCODER.encode(value)
        text.encode()
        return text
    except UnicodeEncodeError as error:
        raise InvalidRequest("the text holds half a surrogate pair, which UTF-8 cannot encode") from error
    except ValueError as error:
        raise InvalidRequest("NaN and Infinity are not JSON; leave the field out or send null") from error


def foreign_cursor() -> InvalidRequest:
    """The error for a cursor that no page has given."""
    return InvalidRequest("the cursor is not one that a page gave as its `next`", (("cursor", "unknown"),))
