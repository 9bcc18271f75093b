"""An execution as a line of JSON or of CSV. The same execution gives the same bytes."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from stepfast.cli.export_pages import Object, Whole
from stepfast.errors import ExecutionNotFound

PIECE_BYTES = 1024 * 1024
"""Bytes of a line that are in memory at once."""
COLUMNS = (
    "execution_id",
    "workflow",
    "status",
    "created_at",
    "ended_at",
    "generation",
    "resumes",
    "labels",
    "input",
    "result",
    "error_type",
    "error_class",
    "error_step",
    "error_message",
    "status_value",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet runs as a formula: https://owasp.org/www-community/attacks/CSV_Injection"""


def json_line(execution: Object) -> bytes:
    """ASCII only: a line separator of Unicode inside a value does not end the line."""
    return _json(execution) + b"\n"


@contextmanager
def spooled(whole: Whole) -> Iterator[IO[bytes]]:
    """The line of an execution with its commands, signals and history, in a temporary file that only this user reads.

    The line is written to the output only when all its pages were read, so that the output never holds a half line. The
    file is empty if the execution was deleted meanwhile.
    """
    with tempfile.SpooledTemporaryFile(max_size=PIECE_BYTES) as line:
        try:
            _write(line, whole)
        except ExecutionNotFound:
            line.seek(0)
            line.truncate()
        line.seek(0)
        yield line


def _write(line: IO[bytes], whole: Whole) -> None:
    _write_run(line, whole)
    line.write(b', "earlier_runs": [')
    for number, earlier in enumerate(whole.earlier_runs):
        line.write(b", " if number else b"")
        _write_run(line, earlier)
        line.write(b"}")
    line.write(b"]}\n")


def _write_run(line: IO[bytes], whole: Whole) -> None:
    """The run of an execution without its closing brace."""
    line.write(_json(whole.execution)[:-1])
    _write_list(line, "commands", whole.commands)
    with tempfile.SpooledTemporaryFile(max_size=PIECE_BYTES) as signals:
        _write_list(line, "history", _aside(whole.history, signals))
        line.write(b', "signals": [')
        signals.seek(0)
        while piece := signals.read(PIECE_BYTES):
            line.write(piece)
    line.write(b"]")


def _write_list(line: IO[bytes], name: str, rows: Iterable[Object]) -> None:
    line.write(f', "{name}": ['.encode())
    for number, row in enumerate(rows):
        line.write((b", " if number else b"") + _json(row))
    line.write(b"]")


def _aside(events: Iterable[Object], signals: IO[bytes]) -> Iterator[Object]:
    """The events; the signals among them are also written to `signals`, as a list without brackets."""
    first = True
    for event in events:
        if event["type"] == "signal-received":
            signal = {name: value for name, value in event.items() if name not in ("type", "command", "at")}
            signals.write((b"" if first else b", ") + _json({**signal, "received_at": event["at"]}))
            first = False
        yield event


def csv_header() -> bytes:
    return _row(COLUMNS)


def csv_row(execution: Object) -> bytes:
    """Values and labels are JSON in their cells. An apostrophe marks text that a spreadsheet takes for a formula."""
    error = execution["error"] or {}
    omitted = execution.get("omitted") or {}
    values = {name: None if name in omitted else json.dumps(execution[name]) for name in ("input", "result")}
    if execution["status"] != "SUCCEEDED":
        values["result"] = None  # null is a result as well: only of an execution that has one
    cells = {
        **{name: execution.get(name) for name in COLUMNS},
        **values,
        **{f"error_{name}": _harmless(error.get(name)) for name in ("type", "step", "message")},
        "labels": json.dumps(execution["labels"], sort_keys=True),
        "error_class": _harmless(error.get("error_class")),
        "status_value": json.dumps(execution.get("status_value"))
        if execution.get("status_value") is not None
        else None,
    }
    return _row([cells[name] for name in COLUMNS])


def _harmless(text: str | None) -> str | None:
    return f"'{text}" if text is not None and text.startswith(FORMULA) else text


def _row(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode(errors="backslashreplace")


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()
