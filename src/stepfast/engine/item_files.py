"""Cuts a file of items into parts, and reads one part. No more than a block or a part is in memory at once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Protocol

from pydantic_core import from_json

from stepfast.errors import GiveUp
from stepfast.records import dataclass

BLOCK_BYTES = 1024 * 1024
PART_BYTES = 4 * 1024 * 1024
"""A part ends with the line that reaches this size, however few lines it has."""
PLAN_BYTES = 64 * 1024 * 1024
PLAN_PARTS = 100
"""One step plans at most so many bytes and so many parts, so that it ends long before its timeout."""
MAX_LINE_BYTES = 64 * 1024 * 1024
BOM = b"\xef\xbb\xbf"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileState:
    """A file at one time. version: another text once the file has changed."""

    size: int
    version: str


class ItemFiles(Protocol):
    """A port: files of items, on disk or in buckets.

    Both methods raise GiveUp for a file that is missing or may not be read, since no retry helps then.
    """

    def state(self, path: str) -> FileState:
        """Size and version of a file."""

    def read(self, path: str, start: int, length: int, version: str) -> bytes:
        """Bytes from an offset on; fewer at the end of the file. Raises GiveUp if the file has changed since."""


def plan(files: ItemFiles, source: Json, batch: int, version: str, offset: int, line: int) -> Json:
    """The parts that follow an offset, each of at most `batch` lines.

    version: of an earlier call for this file; "" in the first call. line: the number of the line at the offset.
    """
    path = source["path"]
    state = files.state(path)
    if version and state.version != version:
        raise changed(path)
    columns = source.get("columns")
    text = _Blocks(files, path, state, offset)
    if offset == 0 and source["format"] == "csv":
        offset, line, columns = _header(text, source)
    parts, rows = list[list[int]](), _row_ends(text, offset, quoted=source["format"] == "csv")
    start, first, count, lines, position = offset, line, 0, line, offset
    for end, newlines in rows:
        count, lines, position = count + 1, lines + newlines, end
        if count >= batch or end - start >= PART_BYTES:
            parts.append([start, end - start, first])
            start, first, count = end, lines, 0
            if len(parts) >= PLAN_PARTS or end - offset >= PLAN_BYTES:
                break
    if count:
        parts.append([start, position - start, first])
    ended = position >= state.size
    return {
        "version": state.version,
        "parts": parts,
        "next": None if ended else [position, lines],
        **({"columns": columns} if columns else {}),
    }


def read(files: ItemFiles, source: Json, version: str, part: list[int]) -> Json:
    """The rows of a part as pairs of line and JSON text, and the lines that are none with what is wrong."""
    offset, length, first = part
    data = files.read(source["path"], offset, length, version)
    if offset == 0:
        data = data.removeprefix(BOM)
    rows, bad = list[list[Any]](), list[list[Any]]()
    read_lines = _csv_rows(data, source, first) if source["format"] == "csv" else _json_rows(data, first)
    for line, text, fault in read_lines:
        if fault is not None:
            bad.append([line, fault])
        elif text is not None:
            rows.append([line, text])
    return {"rows": rows, "bad": bad}


def changed(path: str) -> GiveUp:
    return GiveUp(
        f"{path} has changed since this map began, so its parts may hold other lines now: bring the file back as it "
        "was and resume, or start a new execution for the new file"
    )


Row = tuple[int, str | None, str | None]
"""Number of the line, JSON text, fault. Both are None for a blank line."""


def _json_rows(data: bytes, first: int) -> Iterator[Row]:
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, raw in enumerate(lines, first):
        try:
            text = raw.decode().strip()
        except UnicodeDecodeError as error:
            yield number, None, f"is not UTF-8 at byte {error.start + 1}"
            continue
        if not text:
            yield number, None, None
            continue
        try:
            from_json(text, allow_inf_nan=False)
        except ValueError as error:
            yield number, None, f"is not JSON: {str(error).replace('line 1 column', 'column')}"
        else:
            yield number, text, None


def _csv_rows(data: bytes, source: Json, first: int) -> Iterator[Row]:
    columns = source["columns"]
    for number, raw in _cut(data, first):
        try:
            fields = next(csv.reader(io.StringIO(raw.decode()), delimiter=source["delimiter"], strict=True), [])
        except UnicodeDecodeError as error:
            yield number, None, f"is not UTF-8 at byte {error.start + 1}"
        except csv.Error as error:
            yield number, None, f"is not CSV: {error}"
        else:
            if not fields:
                yield number, None, None
            elif len(fields) != len(columns):
                yield number, None, f"has {len(fields)} fields, and the first row names {len(columns)} columns"
            else:
                yield number, json.dumps(dict(zip(columns, fields, strict=True)), ensure_ascii=False), None


def _cut(data: bytes, first: int) -> Iterator[tuple[int, bytes]]:
    """The rows of a CSV text, each with the number of its first line. A quoted field may hold line breaks."""
    start = 0
    for end, newlines in _ends_in(data, quoted=True):
        yield first, data[start:end]
        start, first = end, first + newlines


def _header(text: _Blocks, source: Json) -> tuple[int, int, list[str]]:
    end, lines = next(_row_ends(text, 0, quoted=True), (0, 0))
    raw = text.between(0, end).removeprefix(BOM)
    try:
        columns = next(csv.reader(io.StringIO(raw.decode()), delimiter=source["delimiter"], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise GiveUp(f"{source['path']}: the first row is not CSV in UTF-8: {error}") from error
    if not columns or not all(columns) or len(set(columns)) < len(columns):
        raise GiveUp(f"{source['path']}: the first row must name each column once, and is {columns!r}")
    return end, 1 + lines, columns


class _Blocks:
    """The text of a file from an offset on, read block by block as it is asked for."""

    def __init__(self, files: ItemFiles, path: str, state: FileState, offset: int) -> None:
        self._files, self._path, self._state, self._at = files, path, state, offset
        self.start, self.data = offset, b""

    def more(self) -> bool:
        """Reads the next block. False at the end of the file."""
        if self._at >= self._state.size:
            return False
        block = self._files.read(self._path, self._at, BLOCK_BYTES, self._state.version)
        if not block:
            return False
        self._at += len(block)
        self.data += block
        return True

    def forget(self, before: int) -> None:
        self.data, self.start = self.data[before - self.start :], before

    def between(self, start: int, end: int) -> bytes:
        return self.data[start - self.start : end - self.start]


def _row_ends(text: _Blocks, offset: int, *, quoted: bool) -> Iterator[tuple[int, int]]:
    """The offset after each row, and how many lines the row has."""
    while True:
        base = offset - text.start
        for end, newlines in _ends_in(text.data, quoted=quoted, start=base, whole=False):
            offset = text.start + end
            yield offset, newlines
        if offset - text.start > BLOCK_BYTES:
            text.forget(offset)
        if len(text.data) - (offset - text.start) > MAX_LINE_BYTES:
            raise GiveUp(
                f"a row has more than {MAX_LINE_BYTES // 1024 // 1024} MB at byte {offset}: is this the right format?"
            )
        if not text.more():
            for end, newlines in _ends_in(text.data, quoted=quoted, start=offset - text.start):
                yield text.start + end, newlines
            return


def _ends_in(data: bytes, *, quoted: bool, start: int = 0, whole: bool = True) -> Iterator[tuple[int, int]]:
    """The end of each row in a text, and its number of lines. whole: the text ends with its last row."""
    at, lines, quotes = start, 0, 0
    row = start
    while (found_at := data.find(b"\n", at)) >= 0:
        lines += 1
        if quoted:
            quotes += data.count(b'"', at, found_at)
        at = found_at + 1
        if quotes % 2 == 0:
            yield at, lines
            row, lines, quotes = at, 0, 0
    if whole and row < len(data):
        yield len(data), lines + (at < len(data))
