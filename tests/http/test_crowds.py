"""Many requests that wait for the changes of one execution: each change does not make all of them read it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from stepfast.http import waiting
from stepfast.http.waiting import LONGEST_READ_PAUSE_SECONDS, SECONDS_PER_READ, HeldRequests, WaitAsked
from stepfast.local.ends import Ends


async def stays() -> dict[str, Any]:
    """A client that does not disconnect."""
    await asyncio.Event().wait()
    raise AssertionError


def answers(reads: list[int], number: int, done: set[int]) -> Any:
    async def read() -> dict[str, Any]:
        reads.append(number)
        return {"statusCode": 200 if number in done else 202, "body": json.dumps({"status": "SUCCEEDED"})}

    return read


async def crowd(count: int) -> tuple[list[int], HeldRequests]:
    """So many requests wait for an answer each. Then the answers are written, each with a change of the execution."""
    ends, reads, done = Ends(), list[int](), set[int]()
    held = HeldRequests(ends)
    waits = [
        asyncio.ensure_future(held.run(WaitAsked("one", 20.0, changes=True), answers(reads, number, done), stays))
        for number in range(count)
    ]
    await asyncio.sleep(0)
    for number in range(count):
        done.add(number)
        ends.on_changed("one")
        await asyncio.sleep(0.001)
    responses = await asyncio.wait_for(asyncio.gather(*waits), 10)
    assert {response["statusCode"] for response in responses} == {200}
    return reads, held


def test_many_answers_take_few_reads_each() -> None:
    reads, held = asyncio.run(crowd(80))
    assert len(reads) <= 4 * 80, "n waiting requests must not take n² reads"
    assert not held._watching, "nothing is kept of requests that are over"


def test_a_request_that_waits_alone_reads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SECONDS_PER_READ", 1000.0)
    monkeypatch.setattr(waiting, "LONGEST_READ_PAUSE_SECONDS", 1000.0)
    reads, _ = asyncio.run(crowd(1))
    assert len(reads) == 2


def test_a_pause_ends_with_the_time_of_the_request_and_with_the_server() -> None:
    async def closed() -> int:
        ends, reads = Ends(), list[int]()
        held = HeldRequests(ends)
        count = 2 * round(LONGEST_READ_PAUSE_SECONDS / SECONDS_PER_READ)
        asked = WaitAsked("one", 0.2, changes=True)
        short = asyncio.ensure_future(held.run(asked, answers(reads, -1, set()), stays))
        rest = [
            asyncio.ensure_future(held.run(WaitAsked("one", 60.0, changes=True), answers(reads, number, set()), stays))
            for number in range(count)
        ]
        await asyncio.sleep(0)
        ends.on_changed("one")
        assert (await short)["statusCode"] == 202
        assert not any(task.done() for task in rest)
        held.close()
        await asyncio.wait_for(asyncio.gather(*rest), 10)
        return len(held._watching)

    assert asyncio.run(closed()) == 0
