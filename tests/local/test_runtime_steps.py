"""Steps on the embedded runtime: retries, timeouts, heartbeats, what they may raise and return."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from stepfast import GiveUp, Retry, RetryAfter, StepFailed, current_step, step, workflow

QUICK = Retry(max_attempts=4, initial=0.01, jitter="none")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Set at the end of a test, so that steps which wait for it leave no thread behind."""
    event = threading.Event()
    yield event
    event.set()


def test_a_sequence_runs_each_step_once(embedded: Any) -> None:
    ran: list[int] = []

    @step
    def sync(n: int) -> int:
        ran.append(n)
        return n + 1

    @step
    async def other(n: int) -> int:
        ran.append(n)
        return n + 1

    @workflow("sequence")
    async def sequence(n: int) -> int:
        for _ in range(5):
            n = await other(await sync(n))
        return n

    ended = embedded(sequence).run("sequence", 0)
    assert ended.result == "10"
    assert ran == list(range(10))


def test_sync_steps_of_a_gather_run_at_the_same_time(embedded: Any) -> None:
    together = threading.Barrier(5, timeout=10)

    @step
    def meet(n: int) -> int:
        together.wait()
        return n

    @workflow("meeting")
    async def meeting() -> list[int]:
        return list(await asyncio.gather(*(meet(n) for n in range(5))))

    assert embedded(meeting).run("meeting").result == "[0,1,2,3,4]"


def test_a_failing_step_is_retried_with_its_delays_and_its_attempts_are_kept(embedded: Any) -> None:
    seen: list[tuple[int, str]] = []

    @step(retry=QUICK)
    def flaky() -> str:
        context = current_step()
        seen.append((context.attempt, context.idempotency_key))
        if len(seen) < 3:
            raise ConnectionError(f"down {len(seen)}")
        return "up"

    @workflow("retrying")
    async def retrying() -> str:
        return await flaky()

    app = embedded(retrying)
    assert app.run("retrying").result == '"up"'
    assert [attempt for attempt, _ in seen] == [1, 2, 3]
    assert len({key for _, key in seen}) == 1
    record = app.records()["flaky"]
    assert [(attempt.number, attempt.error.type, attempt.error.message) for attempt in record.attempts] == [
        (1, "ConnectionError", "down 1"),
        (2, "ConnectionError", "down 2"),
    ]
    assert [round(attempt.next_at - attempt.ended_at, 3) for attempt in record.attempts] == [0.01, 0.02]
    assert all(attempt.error.step == "flaky" and "down" in attempt.error.traceback for attempt in record.attempts)


@pytest.mark.parametrize(
    ("raised", "attempts"),
    [
        (ValueError("no"), 4),
        (GiveUp("never"), 1),
        (RetryAfter(0.0), 4),
        (SystemExit(3), 1),
        (KeyError("x"), 1),
    ],
)
def test_what_a_step_raises_decides_how_often_it_is_tried(embedded: Any, raised: BaseException, attempts: int) -> None:
    policy = Retry(max_attempts=4, initial=0.001, give_up_on=(KeyError,))

    @step(retry=policy)
    def in_thread() -> None:
        raise raised

    @step(retry=policy)
    async def in_task() -> None:
        raise raised

    @workflow("raising")
    async def raising(sync: bool) -> None:
        await (in_thread() if sync else in_task())

    app = embedded(raising)
    for sync, id in ((True, "thread"), (False, "task")):
        ended = app.run("raising", sync, id)
        assert ended.status == "FAILED"
        assert ended.error.type == type(raised).__name__
        (record,) = app.records(id).values()
        assert (record.status, record.attempt) == ("FAILED", attempts)


def test_a_failure_reaches_workflow_code_as_step_failed(embedded: Any) -> None:
    @step(retry=Retry(max_attempts=2, initial=0.001))
    def bad() -> None:
        raise LookupError("not there")

    @workflow("catching")
    async def catching() -> list[Any]:
        try:
            await bad()
        except StepFailed as error:
            return [error.step, error.step_id, error.error_type, error.message, error.attempts]
        return []

    assert embedded(catching).run("catching").result == '["bad","bad","LookupError","not there",2]'


def test_a_step_that_never_returns_times_out(embedded: Any, release: threading.Event) -> None:
    once = Retry(max_attempts=1)

    @step(timeout=0.1, retry=once)
    def hangs() -> None:
        release.wait(30)

    @step(timeout=0.1, retry=once)
    async def sleeps() -> None:
        await asyncio.sleep(3600)

    @step(timeout=0.1, retry=once)
    async def clings() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    @workflow("hanging")
    async def hanging() -> list[str]:
        failures = await asyncio.gather(hangs(), sleeps(), clings(), return_exceptions=True)
        return [str(failure.error_type) for failure in failures if isinstance(failure, StepFailed)]

    assert embedded(hanging).run("hanging").result == '["StepTimeout","StepTimeout","StepTimeout"]'


def test_heartbeats_keep_a_step_alive_and_their_lack_ends_it(embedded: Any, release: threading.Event) -> None:
    @step(timeout=60, heartbeat=1.0, retry=Retry(max_attempts=1))
    def beats() -> str:
        for _ in range(15):
            current_step().heartbeat()
            release.wait(0.1)
        return "alive"

    @step(timeout=60, heartbeat=0.1, retry=Retry(max_attempts=1))
    def silent() -> None:
        release.wait(30)

    @workflow("beating")
    async def beating() -> list[str]:
        good, bad = await asyncio.gather(beats(), silent(), return_exceptions=True)
        return [str(good), bad.message if isinstance(bad, StepFailed) else "?"]

    assert embedded(beating).run("beating").result == '["alive","no heartbeat for 0.1 s"]'


def test_a_result_that_is_not_json_fails_the_step_naming_it(embedded: Any) -> None:
    ran: list[str] = []

    @step
    def gives_nan() -> dict[str, float]:
        ran.append("nan")
        return {"rate": float("nan")}

    @step
    def gives_object() -> Any:
        return {"handle": object()}

    @workflow("unstorable")
    async def unstorable() -> list[str]:
        failures = await asyncio.gather(gives_nan(), gives_object(), return_exceptions=True)
        return [failure.message for failure in failures if isinstance(failure, StepFailed)]

    result = embedded(unstorable).run("unstorable").result
    assert "step 'gives_nan': result.rate cannot be stored as JSON" in result
    assert "step 'gives_object': result.handle cannot be stored as JSON" in result
    assert ran == ["nan"]


def test_a_step_knows_its_execution_and_deadline(embedded: Any) -> None:
    @step(timeout=50)
    async def asks() -> list[Any]:
        context = current_step()
        context.logger.info("here")
        return [context.execution_id, context.step_id, context.attempt, context.deadline.timestamp()]

    @workflow("asking")
    async def asking() -> list[Any]:
        return await asks()

    app = embedded(asking)
    app.run("asking")
    record = app.records()["asks"]
    *known, deadline = json.loads(record.output)
    assert known == ["one", "asks", 1]
    assert deadline == pytest.approx(record.started_at + 50)


def test_each_attempt_gets_its_own_copy_of_the_arguments(embedded: Any) -> None:
    @step(retry=QUICK)
    def spoils(items: list[int]) -> list[int]:
        items.append(len(items))
        if current_step().attempt < 3:
            raise OSError("again")
        return items

    @workflow("spoiling")
    async def spoiling() -> list[list[int]]:
        mine = [7]
        return [await spoils(mine), mine]

    assert embedded(spoiling).run("spoiling").result == "[[7,1],[7]]"
