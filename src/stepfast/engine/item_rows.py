"""Finds where the rows of a file of items end, in a text that comes block by block. Each byte is looked at once."""

from __future__ import annotations

from collections.abc import Iterator

NEWLINE, QUOTE = b"\n", b'"'


class RowEnds:
    """The ends of rows. Without a delimiter a row is a line; with one, a quoted field of CSV may hold line breaks.

    A quote opens a field only where the field begins, as in Python's csv module: the one in `5" pipe` is a character.
    row: where the row begins that has not ended. lines: its line breaks so far. quoted: whether a field of it is open.
    """

    def __init__(self, delimiter: str | None, start: int = 0) -> None:
        self.row, self.lines, self.quoted = start, 0, False
        self._line = self._searched = start
        self._opening = None if delimiter is None else delimiter.encode() + QUOTE

    def ends_in(self, text: bytes | bytearray) -> Iterator[tuple[int, int]]:
        """The end of each row in what is new in the text, and its number of lines. Take all of them."""
        while (newline := text.find(NEWLINE, self._next_searched(text))) >= 0:
            self.lines += 1
            self._look_at(text, newline)
            self._line = self._searched = newline + 1
            if not self.quoted:
                lines, self.row, self.lines = self.lines, newline + 1, 0
                yield newline + 1, lines
        self._searched = len(text)

    def last_in(self, text: bytes | bytearray) -> tuple[int, int] | None:
        """The row that the end of the text ends, if there is one. `quoted` then says whether a field is still open."""
        if self.row >= len(text):
            return None
        if self._line < len(text):
            self._look_at(text, len(text))
            self.lines += 1
            self._line = len(text)
        return len(text), self.lines

    def forget(self, count: int) -> None:
        """The text has lost so many bytes at its beginning."""
        self.row, self._line, self._searched = self.row - count, self._line - count, self._searched - count

    def _next_searched(self, text: bytes | bytearray) -> int:
        """Where to look for the next line break: in a quoted field of many lines, in the line of the next quote."""
        if self.quoted:
            quote = text.find(QUOTE, self._line)
            line = len(text) if quote < 0 else text.rfind(NEWLINE, self._line, quote) + 1
            if line > self._searched:
                self.lines += text.count(NEWLINE, self._searched, line)
                self._line = self._searched = line
        return self._searched

    def _look_at(self, text: bytes | bytearray, end: int) -> None:
        """Notes whether a quoted field is open at the end of the line."""
        if self._opening is None or text.find(QUOTE, self._line, end) < 0:
            return
        at = self._line
        if not self.quoted:
            at = self._opened(text, at, end)
        while at >= 0:
            self.quoted = True
            at = text.find(QUOTE, at, end)
            if at < 0:
                return
            if at + 1 < end and text[at + 1] == QUOTE[0]:
                at += 2  # a quote in the field is written twice
                continue
            self.quoted = False
            at = self._next_opened(text, at + 1, end)

    def _opened(self, text: bytes | bytearray, at: int, end: int) -> int:
        return at + 1 if text[at] == QUOTE[0] else self._next_opened(text, at, end)

    def _next_opened(self, text: bytes | bytearray, at: int, end: int) -> int:
        """The place behind the next quote that opens a field; -1 if there is none."""
        assert self._opening is not None
        place = text.find(self._opening, at, end)
        return place if place < 0 else place + len(self._opening)
