"""Output to the terminal. Foreign text is shown literally: its control characters have no effect."""

from __future__ import annotations

import json
import os
import pydoc
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 160
"""Width in columns of a table that goes to a pipe or file."""
LAST_COLUMN_WIDTH = 12
"""The least width of a table's last column, if its text is longer."""
_as_json = False


def console(*, stderr: bool = False) -> Console:
    """A Rich console on standard output or error.

    Markup, emoji codes and highlighting are off: data prints literally.
    """
    plain = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not plain.is_terminal:
        plain.width = max(plain.width, PIPE_WIDTH)
    return plain


def shown(value: object) -> str:
    """The text on one line, with control and bidirectional characters escaped."""
    text = value if isinstance(value, str) else str(value)
    return (
        text
        if text.isprintable()
        else "".join(character if character.isprintable() else _written_out(character) for character in text)
    )


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode()


def lines(text: str) -> list[str]:
    return [shown(line.expandtabs()) for line in text.splitlines()]


def short_json(value: Any, limit: int = 300) -> str:
    """A JSON value on one line, cut if it is long."""
    text = shown(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def print_json(value: Any) -> None:
    """Prints JSON for programs, in ASCII only, so that it does not depend on terminal or locale."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Prints one line on standard output."""
    sys.stdout.write(shown(text) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Prints one line of progress on standard error, when standard output is for the result."""
    sys.stderr.write(shown(text) + "\n")
    sys.stderr.flush()


def hint(text: str) -> None:
    """Prints one line of advice on standard error, unless --json asks for output for programs."""
    if sys.stderr.isatty():
        sys.stderr.write(shown(text) + "\n")


def errors_as_json(wanted: bool) -> None:
    """Whether `complain` writes JSON, for a command that was given --json."""
    global _as_json
    _as_json = wanted


def complain(text: str, **fields: object) -> None:
    """Prints an error on standard error: one line that says what to do, or with --json an object with its fields."""
    line = " ".join(text.split())
    sys.stderr.write(f"{json.dumps({'error': line, **fields})}\n" if _as_json else f"stepfast: {shown(line)}\n")
    sys.stderr.flush()


def styled(text: str, style: str = "") -> Text:
    return Text(shown(text), style=style)


def show(renderable: RenderableType, *, paged: bool = False) -> None:
    """Prints; paged: through the pager of the system (PAGER) where it is more than a terminal shows at once."""
    target = console()
    if not (paged and target.is_terminal):
        target.print(renderable)
        return
    with target.capture() as captured:
        target.print(renderable)
    text = captured.get()
    if text.count("\n") < target.height:
        sys.stdout.write(text)
        return
    os.environ.setdefault(
        "LESS", "-RFX"
    )  # -R shows colours, -F quits if it fits one screen, -X leaves the text on the screen
    pydoc.pager(text)


def show_rows(headers: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """A table whose first column is never broken and whose last one is; a block for each row where that has no room."""
    target = console()
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    widths = [max(len(name), *(row[at].cell_len for row in cells)) for at, name in enumerate(headers)]
    last = min(widths[-1], LAST_COLUMN_WIDTH)
    if sum(widths[:-1]) + last + 2 * len(headers) > target.width:
        for row in cells:
            target.print(row[0], soft_wrap=True)  # not wrapped by Rich, so that a copied id has no line break
            rest = [cell for cell in row[1:] if cell.plain]
            target.print(Padding(Text("  ").join(rest), (0, 0, 0, 2)))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in headers[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(headers[-1], overflow="fold")
    for row in cells:
        table.add_row(*row)
    target.print(table)
