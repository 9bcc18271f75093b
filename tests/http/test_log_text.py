"""What callers send cannot write lines of its own into a log."""

from __future__ import annotations

import logging

import pytest

from stepfast.functions import api
from stepfast.http.log_text import Lines, printable

FORGED = "/v1/x\n2026-11-27 03:00:00,000 ERROR api - stepfast.fake: FORGED\x1b[31mred\u2028\x85\r"


def formatted(record: logging.LogRecord) -> str:
    return Lines("%(asctime)s %(levelname)s %(name)s: %(message)s").format(record)


def record_of(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("stepfast", logging.INFO, "x.py", 1, message, arguments, info)


def test_an_event_is_one_line_and_commands_no_terminal() -> None:
    whole = formatted(record_of("asked for %s", FORGED))
    first, *rest = whole.splitlines()
    assert first.startswith("20")
    assert all(line.startswith("    ") for line in rest)
    assert not {"\x1b", "\r", "\u2028", "\x85"} & set(whole)
    assert "\\x1b[31mred" in whole


def test_tracebacks_are_still_to_be_read_and_belong_to_their_event() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        lines = formatted(record_of("it failed", error=error)).splitlines()
    assert any("test_log_text.py" in line for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])


@pytest.mark.parametrize("text", [FORGED, "x" * 10_000, "é 🎉", "", None])
def test_a_callers_text_is_one_short_line(text: str | None) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert len(shown) < 1000


def test_the_line_about_a_request_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        api._note({"rawPath": FORGED, "requestContext": {"http": {"method": "POST\n", "path": FORGED}}}, 404)
    [record] = caplog.records
    assert record.getMessage().isprintable()
    assert "FORGED" in record.getMessage()
