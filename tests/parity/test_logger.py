"""`stepfast.logger`: a line of workflow code is logged once, in every home, however often the code is replayed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stepfast import Retry, StepFailed, logger, signal, step, workflow
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.testing import Environment, MotoCloud


@step(retry=Retry(max_attempts=2, initial=0.01, jitter="none"))
async def double(number: int) -> int:
    logger.info("doubling %d", number)
    return number * 2


@step(pool="other", retry=Retry(max_attempts=1))
def broken() -> None:
    raise ConnectionError("no way")


async def branch(number: int) -> int:
    logger.info("branch %d begins", number)
    doubled = await double(number)
    logger.info("branch %d has %d", number, doubled)
    return doubled


@workflow("talking")
async def talking(number: int) -> int:
    logger.info("begins with %d", number)
    doubled = await double(number)
    logger.info("doubled to %d", doubled)
    await asyncio.sleep(0.01)
    logger.info("slept")
    results = await asyncio.gather(branch(1), branch(2), branch(3))
    logger.info("gathered %s", results)
    try:
        await broken()
    except StepFailed:
        logger.warning("broken")
    await double(doubled)
    logger.info("ends")
    return doubled


EXPECTED = [
    "begins with 4",
    "doubled to 8",
    "slept",
    *(text for n in (1, 2, 3) for text in (f"branch {n} begins", f"branch {n} has {2 * n}")),
    "gathered [2, 4, 6]",
    "broken",
    "ends",
]


@workflow("asking")
async def asking() -> int:
    logger.info("asks")
    answer: int = await signal("answer", int)
    logger.info("answered %d", answer)
    await double(answer)
    return answer


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [one for one in caplog.records if one.name == "stepfast.workflow"]
    return [one.getMessage() for one in found if not hasattr(one, "step_id")]


@contextmanager
def embedded(path: Path) -> Iterator[Callable[[str, Any], None]]:
    def run(workflow: str, input: Any) -> None:
        # Lines are written after the end that they led to is recorded: all are there once the runtime has ended.
        with Runtime(Registry([talking, asking]), path / "test.db") as runtime:

            async def to_end() -> str:
                operations = runtime.operations
                await operations.start(workflow, input, "one")
                if workflow == "asking":
                    await operations.signal("one", "answer", 7)
                async with asyncio.timeout(60):
                    while (await operations.read("one")).status == "RUNNING":
                        await asyncio.sleep(0.005)
                return (await operations.read("one")).status

            assert runtime.call(to_end()) == "SUCCEEDED"

    yield run


@contextmanager
def simulated(path: Path, kind: Any = Environment) -> Iterator[Callable[[str, Any], None]]:
    with kind(talking, asking) as env:

        def run(workflow: str, input: Any) -> None:
            if workflow == "asking":
                started = env.start(asking)
                env.run_until(lambda: bool(started.waiting))
                env.signal(started, "answer", 7)
                assert env.run_until(started).status == "SUCCEEDED"
            else:
                assert env.run(talking, input).status == "SUCCEEDED"

        yield run


@contextmanager
def on_moto(path: Path) -> Iterator[Callable[[str, Any], None]]:
    with simulated(path, MotoCloud) as run:
        yield run


HOMES = {"embedded": embedded, "simulated": simulated, "moto": on_moto}


@pytest.fixture(params=HOMES)
def run(request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    caplog.set_level(logging.INFO, "stepfast")
    with HOMES[request.param](tmp_path) as made:
        yield made


def test_each_line_comes_once(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    run("talking", 4)
    assert sorted(lines(caplog)) == sorted(EXPECTED)
    record = next(one for one in caplog.records if one.getMessage() == "slept")
    assert (record.workflow, record.levelname) == ("talking", "INFO")  # type: ignore[attr-defined]
    assert record.execution_id  # type: ignore[attr-defined]


def test_a_wait_for_a_signal_repeats_nothing(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    run("asking", None)
    assert lines(caplog) == ["asks", "answered 7"]


def test_in_a_step_it_logs_at_each_attempt_and_names_the_step(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    run("talking", 4)
    found = [one for one in caplog.records if one.getMessage() == "doubling 4"]
    assert [(one.step_id, one.attempt) for one in found] == [("double", 1)]  # type: ignore[attr-defined]
