"""Cuts a file of items into parts, and reads one part. No more than a block or a part is in memory at once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Protocol

from pydantic_core import from_json

from stepfast.engine.item_rows import RowEnds
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
    parts, rows = list[list[int]](), _row_ends(text, offset, line, source.get("delimiter"))
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
    for number, last, raw in _cut(data, first, source["delimiter"]):
        try:
            fields = next(csv.reader(io.StringIO(raw.decode()), delimiter=source["delimiter"], strict=True), [])
        except UnicodeDecodeError as error:
            yield number, None, f"is not UTF-8 at byte {error.start + 1}{_until(number, last)}"
        except csv.Error as error:
            yield number, None, f"{_not_csv(error)}{_until(number, last)}"
        else:
            if not fields:
                yield number, None, None
            elif len(fields) != len(columns):
                counts = f"has {len(fields)} fields, and the first row names {len(columns)} columns"
                yield number, None, f"{counts}{_until(number, last)}"
            else:
                yield number, json.dumps(dict(zip(columns, fields, strict=True)), ensure_ascii=False), None


def _not_csv(error: csv.Error) -> str:
    if "field limit" in str(error):
        limit = f"{csv.field_size_limit():,}"
        return f"has a field of more than {limit} characters, the limit of Python's csv module: use JSON lines"
    return f"is not CSV: {error}"


def _until(first: int, last: int) -> str:
    """Names all lines of a row that is at fault, since a quote that is not closed makes one row of several."""
    return f" (a quoted field makes one row of the lines {first:,} to {last:,})" if last > first else ""


def _cut(data: bytes, first: int, delimiter: str) -> Iterator[tuple[int, int, bytes]]:
    """The rows of a CSV text, each with the numbers of its first and last line."""
    ends, start = RowEnds(delimiter), 0
    for end, lines in ends.ends_in(data):
        yield first, first + lines - 1, data[start:end]
        start, first = end, first + lines
    if last := ends.last_in(data):
        yield first, first + last[1] - 1, data[start:]


def _header(text: _Blocks, source: Json) -> tuple[int, int, list[str]]:
    end, lines = next(_row_ends(text, 0, 1, source["delimiter"]), (0, 0))
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
        self._files, self.path, self._state, self._at = files, path, state, offset
        self.start, self.data = offset, bytearray()

    def more(self) -> bool:
        """Reads the next block. False at the end of the file."""
        if self._at >= self._state.size:
            return False
        block = self._files.read(self.path, self._at, BLOCK_BYTES, self._state.version)
        if not block:
            return False
        self._at += len(block)
        self.data += block
        return True

    def forget(self, before: int) -> int:
        """Drops what is before an offset. Returns how many bytes that were."""
        count = before - self.start
        del self.data[:count]
        self.start = before
        return count

    def between(self, start: int, end: int) -> bytes:
        return bytes(self.data[start - self.start : end - self.start])


def _row_ends(text: _Blocks, offset: int, line: int, delimiter: str | None) -> Iterator[tuple[int, int]]:
    """The offset after each row, and how many lines the row has. line: the number of the line at the offset."""
    if offset == 0 and text.more() and text.data.startswith(BOM):
        offset = len(BOM)
    ends = RowEnds(delimiter, offset - text.start)
    while True:
        for end, lines in ends.ends_in(text.data):
            line += lines
            yield text.start + end, lines
        if ends.row > BLOCK_BYTES:
            ends.forget(text.forget(text.start + ends.row))
        if len(text.data) - ends.row > MAX_LINE_BYTES:
            raise GiveUp(_too_long(text.path, line, delimiter))
        if not text.more():
            break
    if last := ends.last_in(text.data):
        if ends.quoted:
            raise GiveUp(
                f"{text.path}: a quoted field in the row of line {line:,} is not closed before the end of the file, so "
                "no row behind it can be told: close it, write a quote inside a quoted field twice, and resume"
            )
        yield text.start + last[0], last[1]


def _too_long(path: str, line: int, delimiter: str | None) -> str:
    size = f"{path}: the row of line {line:,} has more than {MAX_LINE_BYTES // 1024 // 1024} MB"
    if delimiter is None:
        return f"{size}: is it a file of JSON lines, with one value a line?"
    return f"{size}: is it a CSV file, and is each quoted field closed?"
