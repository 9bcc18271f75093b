"""Parses JSON and labels of the command line: inline, @FILE, or - for standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from stepfast.errors import InvalidRequest


def read_json(text: str | None, option: str) -> Any:
    """The JSON value of an argument; None (null) if it was left out. Raises InvalidRequest for invalid JSON."""
    if text is None:
        return None
    source = _source(text, option)
    try:
        return json.loads(source, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidRequest(f"the {option} is nested too deeply") from None
    except ValueError as error:
        raise InvalidRequest(
            f"the {option} is not JSON ({error}); quote it for your shell, or give a file as @FILE"
        ) from error


def _source(text: str, option: str) -> str:
    try:
        if text == "-":
            return sys.stdin.read()
        return Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    except OSError as error:
        raise InvalidRequest(f"cannot read the {option} from {text[1:]}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the {option} is not UTF-8 text") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; use null or leave the field out")


def read_labels(texts: list[str]) -> dict[str, str]:
    """The labels in `key=value` texts. Raises InvalidRequest for a text without `=`."""
    labels = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InvalidRequest(f"a label must be key=value, not {text!r}")
        labels[key] = value
    return labels
