"""What goes to the terminal: text from elsewhere is shown as it is, and never obeyed."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

PIPE_WIDTH = 160
"""Columns of a table that no terminal sets the width of."""


def console(*, stderr: bool = False) -> Console:
    """Standard output, or error, without markup, emoji codes or highlighting: data must print literally."""
    plain = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not plain.is_terminal:
        plain.width = max(plain.width, PIPE_WIDTH)
    return plain


def shown(value: object) -> str:
    """Text on one line, with control and direction characters written out."""
    text = value if isinstance(value, str) else str(value)
    return text if text.isprintable() else "".join(one if one.isprintable() else _written_out(one) for one in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode()


def lines(text: str) -> list[str]:
    return [shown(line.expandtabs()) for line in text.splitlines()]


def short_json(value: Any, limit: int = 300) -> str:
    """A JSON value on one line, cut where it gets long."""
    text = shown(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def print_json(value: Any) -> None:
    """JSON for programs; pure ASCII, so that no terminal and no locale gets in the way."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line of data or news on standard output."""
    sys.stdout.write(shown(text) + "\n")
    sys.stdout.flush()


def hint(text: str) -> None:
    """One line of advice on standard error, for people only."""
    if sys.stderr.isatty():
        sys.stderr.write(shown(text) + "\n")


def complain(text: str) -> None:
    """One line on standard error that says what was wrong and what to do."""
    sys.stderr.write(f"stepfast: {shown(' '.join(text.split()))}\n")
    sys.stderr.flush()


def styled(text: str, style: str = "") -> Text:
    return Text(shown(text), style=style)


def show(renderable: RenderableType) -> None:
    console().print(renderable)
