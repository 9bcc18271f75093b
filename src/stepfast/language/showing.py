"""`set_status()` and `set_labels()`: what workflow code shows of itself while it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stepfast.errors import DefinitionError, NotStorable
from stepfast.language.workflow_loop import commands_for
from stepfast.shown import LABEL_KEY, LABEL_VALUE, MAX_STATUS_BYTES
from stepfast.values.codec import UNTYPED, Codec

_PLAIN = (dict, list, str, int, float, bool, type(None))


def set_status(value: Any) -> None:
    """Shows a small value with the execution: what it does now, or how far it has come.

    value: anything that has a JSON form, such as a text, a dict or a pydantic model, of at most 4,096 bytes of JSON.

    The last value counts. It is written together with what the code does next, at the latest when the code waits, and
    stays when the execution has ended. A replay does not write it again. describe, `stepfast show`, `list` and `watch`
    and the page show it; nothing depends on it.

    Raises ForbiddenInWorkflow outside workflow code, and NotStorable for a value without JSON form or above the size.
    """
    commands = commands_for("set_status()")
    text = _codec(UNTYPED if type(value) in _PLAIN else type(value)).text(value)
    if (size := len(text.encode())) > MAX_STATUS_BYTES:
        raise NotStorable(
            f"set_status(): the value has {size} bytes of JSON, and may have {MAX_STATUS_BYTES}: "
            "show a short text or a few numbers, and return the rest as a result"
        )
    commands.show_value(text)


def set_labels(labels: Mapping[str, str | None] | None = None, /, **more: str | None) -> None:
    """Changes labels of the execution, by which it is listed; those that are not named stay as they are.

    labels, more: the new values by key; None removes a label. Keys and values follow the rules of a start: keys of at
    most 128 characters without `:` and `=`, values of at most 128, at most 20 labels in all.

    They are written as the value of `set_status` is. `current_execution().labels` and the keys of limits remain those
    that the run has begun with, so that every replay sees the same.

    Raises ForbiddenInWorkflow outside workflow code, and DefinitionError for labels that break the rules.
    """
    commands = commands_for("set_labels()")
    changes: dict[str, str | None] = {**(labels or {}), **more}
    for key, value in changes.items():
        if not isinstance(key, str) or not re.match(LABEL_KEY, key):
            raise DefinitionError(
                f"set_labels(): the key {str(key)[:50]!r} must be 1 to 128 characters, none of them : or = or a "
                "control character"
            )
        if value is not None and (not isinstance(value, str) or not re.match(LABEL_VALUE, value)):
            raise DefinitionError(
                f"set_labels(): the value of {key!r} must be a text of at most 128 characters without control "
                "characters, or None to remove the label"
            )
    if changes:
        commands.show_labels(changes)


def _codec(annotation: Any) -> Codec:
    return Codec(annotation, "set_status()")
