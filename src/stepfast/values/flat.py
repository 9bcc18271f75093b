"""Atoms of JSON, and small dicts of them: most arguments and results of steps are no more.

Their text is made here, since a call of pydantic's serializer takes longer than all else of storing such a value: it
gives the interpreter lock away and takes it again.
"""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import Any

_FEW_KEYS = 8
_SHORT_INTEGER = 2**63


def flat_text(value: Any, valid: Any) -> str | None:
    """The JSON text of `valid`, as pydantic writes it, if it is flat and the same as `value`. None says nothing.

    valid: what validation has made of the value. The same: equal, of the same types, and with the same order of keys.
    """
    if type(valid) is not dict:
        return _atom(value, valid)
    if type(value) is not dict or not len(value) == len(valid) <= _FEW_KEYS:
        return None
    parts = ""
    keys = iter(value)
    for valid_key, valid_item in valid.items():
        key = next(keys)
        text = _atom(value[key], valid_item)
        if text is None or type(key) is not str or (name := _atom(key, valid_key)) is None:
            return None
        parts = f"{parts},{name}:{text}" if parts else f"{name}:{text}"
    return f"{{{parts}}}"


def _atom(value: Any, valid: Any) -> str | None:
    kind = type(valid)
    if type(value) is not kind or value != valid:
        return None
    if kind is int:
        return repr(valid) if -_SHORT_INTEGER < valid < _SHORT_INTEGER else None
    if kind is str:
        return encode_basestring(valid) if valid.isascii() else None
    if kind is bool:
        return "true" if valid else "false"
    return "null" if valid is None else None
