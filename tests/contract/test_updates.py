"""Queries and updates: the same in both homes (rules *query* and *update*)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import (
    ContinueAsNew,
    Retry,
    UpdateFailed,
    UpdateRefused,
    all_updates_done,
    query,
    signal,
    step,
    update,
    workflow,
)
from stepfast.client.update_answers import StartIf
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest, WrongStatus
from stepfast.testing import Environment, MotoCloud
from stepfast.update_errors import NoSuchHandler, QueryFailed, UpdateNotFound

KITS: list[Any] = [Environment, MotoCloud]
calls: list[str] = []


class Item(BaseModel):
    name: str
    price: int = 1


@step(retry=Retry(max_attempts=1))
async def book(name: str) -> str:
    calls.append(name)
    if name.startswith("bad"):
        raise ValueError(name)
    return f"booked {name}"


@workflow("cart")
async def cart(limit: int) -> list[str]:
    items: list[Item] = []
    paid = asyncio.Event()

    @query
    def total() -> int:
        return sum(item.price for item in items)

    @query(name="price-of")
    def price_of(name: str) -> int:
        return next(item.price for item in items if item.name == name)

    @query
    def commands() -> str:
        return str(book("from-a-query"))

    @query
    def sleeps() -> None:
        asyncio.get_running_loop().call_later(1, paid.set)

    @query
    def clears() -> int:
        items.clear()
        return len(items)

    @update
    async def add(item: Item) -> int:
        await book(item.name)
        items.append(item)
        return len(items)

    @add.check
    def _(item: Item) -> None:
        if len(items) >= limit:
            raise UpdateRefused(f"the cart is full with {limit}")

    @update
    async def pay() -> None:
        paid.set()

    @update
    async def never() -> None:
        await asyncio.Event().wait()

    await paid.wait()
    return [item.name for item in items]


@workflow("account")
async def account(balance: int) -> int:
    @query
    def money() -> int:
        return balance

    @update
    async def deposit(amount: int) -> int:
        nonlocal balance
        balance += amount
        await book(f"deposit {amount}")
        return balance

    while True:
        said = await signal("turn", str)
        await all_updates_done()
        if said == "end":
            return balance
        raise ContinueAsNew(balance)


@workflow("seats")
async def seats(left: int) -> None:
    @update
    async def take(name: str) -> int:
        nonlocal left
        left -= 1
        await book(name)
        return left

    @take.check
    def _(name: str) -> None:
        if not left:
            raise UpdateRefused("no seat is left")

    await signal("end")


@workflow("careless")
async def careless() -> None:
    @update
    async def slow() -> None:
        await asyncio.Event().wait()

    await signal("turn")
    raise ContinueAsNew


@workflow("fails")
async def fails() -> int:
    seen: list[int] = []

    @update
    async def note(number: int) -> int:
        seen.append(number)
        await book(f"note {number}")
        return len(seen)

    try:
        await book("bad")
    except Exception:
        await signal("go-on")
        raise
    await signal("end")
    return len(seen)


@workflow("phases")
async def phases() -> list[int]:
    taken: list[int] = []
    full = asyncio.Event()

    @update
    async def add(number: int) -> int:
        taken.append(number)
        await book(f"number {number}")
        if len(taken) == 2:
            full.set()
        return sum(taken)

    await signal("next", str)
    await book("middle")
    await full.wait()
    await all_updates_done()
    return taken


WORKFLOWS = (cart, account, seats, careless, fails, phases)


@pytest.fixture(params=KITS, ids=["sqlite", "dynamodb"])
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    calls.clear()
    with request.param(*WORKFLOWS) as made:
        yield made


def test_an_update_runs_steps_and_is_answered(env: Any) -> None:
    run = env.start(cart, 3)
    assert env.update(run, "add", Item(name="tea", price=4)) == 1
    assert env.update(run, "add", {"name": "cup"}) == 2
    assert (env.query(run, "total"), env.query(run, "price-of", "tea")) == (5, 4)
    env.update(run, "pay")
    env.run_until(run)
    assert (run.result, calls) == (["tea", "cup"], ["tea", "cup"])
    assert env.query(run, "total") == 5, "an execution that has ended is still asked"
    with pytest.raises(WrongStatus):
        env.update(run, "add", Item(name="late"))


def test_an_update_is_run_once_by_its_id(env: Any) -> None:
    run = env.start(cart, 3)
    for _ in range(2):
        assert env.update(run, "add", Item(name="tea"), update_id="one") == 1
    with pytest.raises(ExecutionConflict):
        env.send_update(run, "add", Item(name="cup"), update_id="one")
    with pytest.raises(ExecutionConflict):
        env.send_update(run, "pay", update_id="one")
    env.update(run, "pay")
    env.run_until(run)
    assert calls == ["tea"]
    assert env.update(run, "add", Item(name="tea"), update_id="one") == 1, "the same answer after the end"


def test_a_refused_update_leaves_no_trace(env: Any) -> None:
    run = env.start(cart, 1)
    env.update(run, "add", Item(name="tea"))
    before = run.history
    with pytest.raises(UpdateRefused, match="the cart is full with 1"):
        env.send_update(run, "add", Item(name="cup"), update_id="full")
    with pytest.raises(InvalidRequest):
        env.send_update(run, "add", {"price": 1}, update_id="full")
    with pytest.raises(NoSuchHandler, match="'add'"):
        env.send_update(run, "remove", update_id="full")
    with pytest.raises(UpdateNotFound):
        env.update_answer(run, "full")
    assert run.history == before


def test_the_check_is_made_again_as_the_update_is_taken(env: Any) -> None:
    run = env.start(cart, 1)
    first = env.send_update(run, "add", Item(name="tea"))
    second = env.send_update(run, "add", Item(name="cup"))
    assert env.update_answer(run, first) == 1
    assert env.update_answer(run, second) == 2, "its check ran before the first had ended"


def test_the_workflow_refuses_what_no_longer_passes_as_it_is_taken(env: Any) -> None:
    run = env.start(seats, 1)
    env.advance(timedelta(seconds=1))
    env.pause(run)
    first, second = env.send_update(run, "take", "a"), env.send_update(run, "take", "b")
    env.unpause(run)
    assert env.update_answer(run, first) == 0
    with pytest.raises(UpdateRefused, match="no seat is left"):
        env.update_answer(run, second)
    assert calls == ["a"]


def test_what_an_update_raises_is_answered_and_the_execution_goes_on(env: Any) -> None:
    run = env.start(cart, 3)
    with pytest.raises(UpdateFailed) as failed:
        env.update(run, "add", Item(name="bad tea"))
    assert failed.value.error_type == "ValueError"
    assert env.update(run, "add", Item(name="tea")) == 1


def test_a_query_that_would_command_is_refused_and_changes_nothing(env: Any) -> None:
    run = env.start(cart, 3)
    env.update(run, "add", Item(name="tea"))
    before = run.history
    for name in ("commands", "sleeps"):
        with pytest.raises(QueryFailed, match=f"query '{name}'.*may only look"):
            env.query(run, name)
    assert (env.query(run, "clears"), env.query(run, "total")) == (0, 1)
    with pytest.raises(QueryFailed, match="StopIteration"):
        env.query(run, "price-of", "cup")
    with pytest.raises(NoSuchHandler, match="'total'"):
        env.query(run, "nothing")
    assert run.history == before


def test_an_update_that_the_workflow_does_not_wait_for_is_told_so(env: Any) -> None:
    run = env.start(cart, 3)
    left = env.send_update(run, "never")
    env.update(run, "pay")
    env.run_until(run)
    with pytest.raises(WrongStatus, match="ended before"):
        env.update_answer(run, left)


def test_an_update_starts_the_execution_if_need_be(env: Any) -> None:
    start = StartIf(cart, 2)
    assert env.update("mine", "add", Item(name="tea"), update_id="a", start=start) == 1
    assert env.update("mine", "add", Item(name="tea"), update_id="a", start=start) == 1
    assert env.update("mine", "add", Item(name="cup"), update_id="b", start=StartIf(cart, 99)) == 2
    with pytest.raises(UpdateRefused):
        env.send_update("other", "add", Item(name="tea"), start=StartIf(cart, 0))
    with pytest.raises(ExecutionNotFound):
        env.query("other", "total")
    with pytest.raises(ExecutionConflict):
        env.send_update("mine", "deposit", 1, start=StartIf(account, 0))


def test_updates_go_along_with_a_new_run(env: Any) -> None:
    run = env.start(account, 10)
    assert env.update(run, "deposit", 5, update_id="five") == 15
    env.signal(run, "turn", "next")
    after = [env.send_update(run, "deposit", 1), env.send_update(run, "deposit", 2)]
    assert [env.update_answer(run, id) for id in after] == [18, 18]
    assert env.query(run, "money") == 18
    assert env.update(run, "deposit", 5, update_id="five") == 15, "the answer of an earlier run"
    env.signal(run, "turn", "end")
    env.run_until(run)
    assert run.result == 18


def test_a_run_does_not_leave_an_update_behind(env: Any) -> None:
    run = env.start(careless)
    env.send_update(run, "slow")
    env.advance(timedelta(seconds=5))
    env.signal(run, "turn")
    env.run_until(run)
    assert (run.status, "all_updates_done" in str(run.error)) == ("FAILED", True)


def test_a_paused_execution_takes_an_update_later(env: Any) -> None:
    run = env.start(cart, 3)
    env.update(run, "add", Item(name="tea"))
    env.pause(run)
    waits = env.send_update(run, "add", Item(name="cup"))
    env.advance(timedelta(minutes=5))
    assert calls == ["tea"]
    env.unpause(run)
    assert env.update_answer(run, waits) == 2


def test_an_answer_outlives_a_resume_that_runs_its_update_again(env: Any) -> None:
    run = env.start(fails)
    env.advance(timedelta(seconds=5))
    assert env.update(run, "note", 7, update_id="seven") == 1
    env.signal(run, "go-on")
    env.run_until(run)
    assert run.status == "FAILED"
    book_again = env.send_update(run, "note", 8, update_id="eight")
    env.fake(book, lambda name: "mended")
    env.resume(run)
    assert env.update_answer(run, book_again) == 2
    assert env.update(run, "note", 7, update_id="seven") == 1
    env.signal(run, "end")
    env.run_until(run)
    assert run.result == 2


def test_a_terminated_execution_answers_no_more(env: Any) -> None:
    run = env.start(cart, 3)
    env.update(run, "add", Item(name="tea"))
    left = env.send_update(run, "never")
    env.terminate(run)
    with pytest.raises(WrongStatus, match="ended before"):
        env.update_answer(run, left)
    assert env.query(run, "total") == 1


def test_a_fork_keeps_what_was_answered_before_its_point_and_nothing_later(env: Any) -> None:
    origin = env.start(phases)
    assert env.update(origin, "add", 1, update_id="first") == 1
    env.signal(origin, "next", "go")
    env.run_until(lambda: "middle" in calls)
    env.advance(timedelta(seconds=5))
    assert env.update(origin, "add", 2, update_id="second") == 3
    assert env.run_until(origin).result == [1, 2]
    done = len(calls)
    fork = env.fork(origin, "fork", before="book")
    env.advance(timedelta(seconds=5))
    assert env.update(fork, "add", 1, update_id="first") == 1, "answered before the point, so it is not run again"
    assert calls[done:] == ["middle"]
    with pytest.raises(UpdateNotFound):
        env.update_answer(fork, "second")
    assert env.update(fork, "add", 20, update_id="second") == 21, "its id is free in the fork"
    assert env.run_until(fork).result == [1, 20]
    assert origin.result == [1, 2]
