"""Log lines for people: one event is one line, even if it quotes a caller's text with line breaks."""

from __future__ import annotations

import logging

CHARACTERS_SHOWN = 200


def printable(text: object, limit: int = CHARACTERS_SHOWN) -> str:
    """A caller's text for the log: on one line, control characters escaped, cut at `limit` characters."""
    whole = str(text)
    return _escaped(whole if len(whole) <= limit else whole[: limit - 1] + "…")


class Lines(logging.Formatter):
    """Indents the further lines of an event, such as a traceback, and escapes characters that are not printable.

    So no text of a caller can look like an event of its own, or control the terminal that shows the log.
    """

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join(_escaped(line) for line in super().format(record).split("\n"))


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in line
    )
