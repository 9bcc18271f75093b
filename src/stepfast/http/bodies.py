"""Request bodies: their size limit, and strict parsing as JSON."""

from __future__ import annotations

import base64
import re
from typing import Any

from pydantic_core import from_json

from stepfast.errors import InvalidRequest
from stepfast.http.problems import Rejected

MAX_BODY = 10 * 1024 * 1024
"""The largest request body, in bytes."""

_NOT_FINITE = re.compile(r"[\[:,\s](NaN|-?Infinity)\b")


def parse(body: str | None, is_base64: bool) -> Any:
    """The JSON object in a request's body; None where there is no body.

    Refused are NaN and Infinity, lone surrogates, bytes that are not UTF-8, nesting deeper than 200 and
    integers of more than 4300 digits, all of which Python's own parser takes or fails on later.
    """
    if not body:
        return None
    raw = _decoded(body) if is_base64 else body
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Rejected(400, "malformed-json", "Malformed JSON", _explained(str(error), raw)) from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object", (("", "must be a JSON object"),))
    return value


def _decoded(body: str) -> str:
    try:
        return base64.b64decode(body, validate=True).decode()
    except ValueError:
        raise Rejected(400, "malformed-json", "Malformed JSON", "the body is not UTF-8 text") from None


def _explained(reason: str, raw: str) -> str:
    if _NOT_FINITE.search(raw):
        return f"NaN and Infinity are not JSON; leave the field out or send null ({reason})"
    if "recursion limit" in reason:
        return f"the body is nested too deeply: at most 200 levels ({reason})"
    if "hex escape" in reason:
        reason += "; a lone surrogate such as \\ud800 is no character"
    return f"the body is not valid JSON: {reason}"
