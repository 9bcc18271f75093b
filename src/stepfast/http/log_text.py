"""Log lines for people: one event is one line, whatever text of a caller is in it."""

from __future__ import annotations

import logging

CHARACTERS_SHOWN = 200


def printable(text: object, limit: int = CHARACTERS_SHOWN) -> str:
    """A caller's text for a log: on one line, without control characters, cut where it gets long."""
    whole = str(text)
    return _escaped(whole if len(whole) <= limit else whole[: limit - 1] + "…")


class Lines(logging.Formatter):
    """Further lines of an event, such as a traceback, are indented, and what is no printable character is written out:
    so nothing that was sent can look like an event of its own, or command the terminal that shows it.
    """

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join(_escaped(line) for line in super().format(record).split("\n"))


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in line
    )
