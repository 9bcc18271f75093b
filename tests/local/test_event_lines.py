"""What `stepfast dev` logs of executions: a line for each start, end, failed attempt and resume, and who is meant."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stepfast import Retry, current_step, step, workflow
from stepfast.functions import logs
from stepfast.local import dev_logs
from stepfast.local.dev_logs import JsonLogLines, TextLines, quiet_libraries
from tests.local.conftest import Embedded
from tests.waiting import until

SECRET = "hunter2"
own = logging.getLogger("own_module")
mended = threading.Event()


@step(retry=Retry(max_attempts=2, initial=0.25, jitter="none"))
def fragile(text: str) -> str:
    own.info("in a thread")
    current_step().logger.info("trying", extra={"records": 50})
    if not mended.is_set():
        raise ValueError(f"no {text}")
    return text


@step
async def steady(text: str) -> str:
    own.info("on the loop")
    return text


@workflow("logging")
async def logging_flow(text: str) -> str:
    own.info("in the workflow")
    return await fragile(await steady(text))


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    records_seen: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records_seen.append(record)

    handler = Keep()
    handler.addFilter(logs.name_execution)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield records_seen
    root.removeHandler(handler)
    root.setLevel(level)


def events(records: list[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in records if record.name == "stepfast.events"]


def test_each_start_failed_attempt_resume_and_end_has_one_line(
    embedded: Callable[..., Embedded], records: list[logging.LogRecord]
) -> None:
    mended.clear()
    made = embedded(logging_flow)
    made.run("logging", SECRET, "a")
    mended.set()
    made.resume("a")
    made.ends(id="a")
    until(lambda: len(events(records)) == 6)
    *earlier, last = events(records)
    assert earlier == [
        "execution a of logging started",
        "step fragile of a: attempt 1 failed: ValueError; next attempt in 0.25 s",
        "step fragile of a: attempt 2 failed: ValueError; no attempt is left",
        "execution a of logging FAILED in fragile: ValueError",
        "execution a of logging resumed for the 1st time",
    ]
    assert last.startswith("execution a of logging SUCCEEDED after ")
    assert SECRET not in " ".join(record.getMessage() for record in records)


def test_the_lines_of_steps_and_workflow_code_name_execution_step_and_attempt(
    embedded: Callable[..., Embedded], records: list[logging.LogRecord]
) -> None:
    mended.set()
    embedded(logging_flow).run("logging", SECRET, "a")

    def named(name: str) -> list[tuple[str, Any, Any, Any]]:
        fields = ("execution_id", "step_id", "attempt")
        return [
            (record.getMessage(), *(getattr(record, field, None) for field in fields))
            for record in records
            if record.name == name
        ]

    assert ("in the workflow", "a", None, None) in named("own_module")
    assert ("on the loop", "a", "steady", 1) in named("own_module")
    assert ("in a thread", "a", "fragile", 1) in named("own_module")
    assert ("trying", "a", "fragile", 1) in named("stepfast.step")
    assert [getattr(record, "records", None) for record in records if record.getMessage() == "trying"] == [50]


def test_a_cancel_is_an_end(embedded: Callable[..., Embedded], records: list[logging.LogRecord]) -> None:
    mended.clear()
    made = embedded(logging_flow)
    made.start("logging", SECRET, "a")
    made.cancel("a")
    assert any("execution a of logging CANCELLED after" in line for line in events(records))


def record(name: str, level: int, path: str, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, level, path, 1, "said %s", ("so\nmuch",), None)
    vars(made).update(fields)
    return made


def test_text_lines_name_what_they_are_about_once() -> None:
    line = TextLines().format(record("own", logging.INFO, "x.py", execution_id="a", step_id="pay", attempt=2))
    assert line.endswith(" INFO [a pay #2] own: said so\n    much")
    event = TextLines().format(record("stepfast.events", logging.INFO, "x.py", execution_id="a"))
    assert "[a" not in event
    assert TextLines().format(record("own", logging.INFO, "x.py")).endswith(" INFO own: said so\n    much")


def test_json_lines_are_one_object_each_with_every_field() -> None:
    made = record("own", logging.INFO, "x.py", execution_id="ä", attempt=2, records={1, 2})
    try:
        raise KeyError("x")
    except KeyError:
        made.exc_info = sys.exc_info()
    text = JsonLogLines().format(made)
    assert text.isascii()
    assert "\n" not in text
    line = json.loads(text)
    assert (line["message"], line["execution_id"], line["attempt"]) == ("said so\nmuch", "ä", 2)
    assert (line["level"], line["logger"], line["records"]) == ("INFO", "own", "{1, 2}")
    assert "KeyError" in line["exception"]
    assert "msg" not in line


def test_libraries_are_heard_from_warning_up_unless_their_level_is_set() -> None:
    library = f"{dev_logs._LIBRARIES[-1]}httpx/_client.py"
    logger = logging.getLogger("some_library.client")
    assert not quiet_libraries(record(logger.name, logging.INFO, library))
    assert quiet_libraries(record(logger.name, logging.WARNING, library))
    assert quiet_libraries(record("own", logging.INFO, "workflows/own.py"))
    assert quiet_libraries(record("stepfast.local.dev", logging.INFO, library))
    parent = logging.getLogger("some_library")
    parent.setLevel(logging.INFO)
    try:
        assert quiet_libraries(record(logger.name, logging.INFO, library))
    finally:
        parent.setLevel(logging.NOTSET)
