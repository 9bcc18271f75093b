"""Attempts that stop before their end, in real time: what was taken back, and a process that is to end."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from stepfast import Retry, current_step, signal, step, workflow
from stepfast.errors import StepCancelled
from tests.waiting import until

OFTEN = Retry(max_attempts=50, initial=0.1, backoff=1, jitter="none")


def test_a_step_that_is_taken_back_is_told_at_its_heartbeat_and_cancelled_and_never_retried(embedded: Any) -> None:
    heard, ran = threading.Event(), list[str]()

    @step(retry=OFTEN, heartbeat=30)
    def beats() -> None:
        ran.append("beats")
        while True:
            try:
                current_step().heartbeat()
            except StepCancelled:
                heard.set()
                raise
            heard.wait(0.01)

    @step(retry=OFTEN)
    async def sleeps() -> None:
        ran.append("sleeps")
        await asyncio.sleep(60)

    @step(retry=Retry(max_attempts=1000, initial=0.05, backoff=1, jitter="none"))
    async def fails() -> None:
        ran.append("fails")
        raise ConnectionError("down")

    @step
    async def refund() -> None:
        ran.append("refund")

    @workflow("race")
    async def race() -> None:
        work = asyncio.gather(beats(), sleeps(), fails())
        await signal("enough")
        work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            await refund()
        await asyncio.sleep(1)  # ten times the delay of a retry, in which nothing may run again

    home = embedded(race)
    home.start("race")
    until(lambda: {"beats", "sleeps", "fails"} <= set(ran))
    home.signal("enough", None)
    home.ends()
    assert heard.is_set()
    assert ran[-1] == "refund"
    assert (ran.count("beats"), ran.count("sleeps")) == (1, 1)
    assert home.records()["sleeps"].attempts[0].error.type == "StepCancelled"


def test_an_attempt_that_is_interrupted_is_released_and_says_so(embedded: Any) -> None:
    attempts: list[int] = []

    @step(timeout=600)
    async def waits() -> str:
        attempts.append(current_step().attempt)
        if len(attempts) == 1:
            await asyncio.sleep(500)
        return "done"

    @workflow("interrupted")
    async def interrupted() -> str:
        return await waits()

    home = embedded(interrupted)
    home.start("interrupted")
    until(lambda: attempts)
    until(lambda: home.runtime._worker.interrupt("interrupted by a stop of the server"))
    home.ends()
    (stopped,) = home.records()["waits"].attempts
    assert attempts == [1, 2]
    assert (stopped.error.type, stopped.error.message) == ("StepCancelled", "interrupted by a stop of the server")


def test_what_runs_at_most_once_is_not_interrupted(embedded: Any) -> None:
    go, begun = threading.Event(), threading.Event()

    @step(at_most_once=True)
    def pays() -> str:
        begun.set()
        go.wait(30)
        return "paid"

    @workflow("careful")
    async def careful() -> str:
        return await pays()

    home = embedded(careful)
    home.start("careful")
    assert begun.wait(30)
    assert home.runtime._worker.interrupt("interrupted by a stop of the server") == 0
    go.set()
    assert home.ends().result == '"paid"'
