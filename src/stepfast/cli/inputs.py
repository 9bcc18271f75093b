"""JSON and labels as they are typed: inline, @file, or - for standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from stepfast.errors import InvalidRequest


def read_json(text: str | None, what: str) -> Any:
    """The JSON value of an argument; None (null) when it was left out. InvalidRequest says what is wrong."""
    if text is None:
        return None
    source = _source(text, what)
    try:
        return json.loads(source, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidRequest(f"the {what} is nested too deeply") from None
    except ValueError as error:
        raise InvalidRequest(
            f"the {what} is not JSON ({error}); quote it for your shell, or give a file as @FILE"
        ) from error


def _source(text: str, what: str) -> str:
    try:
        if text == "-":
            return sys.stdin.read()
        return Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    except OSError as error:
        raise InvalidRequest(f"cannot read the {what} from {text[1:]}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the {what} is not UTF-8 text") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; use null or leave the field out")


def read_labels(given: list[str]) -> dict[str, str]:
    """Labels of `key=value` texts."""
    labels = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise InvalidRequest(f"a label is given as key=value, not {one!r}")
        labels[key] = value
    return labels
