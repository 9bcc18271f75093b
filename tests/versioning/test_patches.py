"""Code that asks `patched` is deployed at any moment, and the process dies at any later one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from stepfast import ContinueAsNew, Retry, child, deprecate_patch, patched, signal, step, workflow
from stepfast.engine.order import Order
from stepfast.errors import DefinitionError, ForbiddenInWorkflow
from stepfast.language.workflows import Workflow
from stepfast.model import OrderEntry
from stepfast.replay.patching import Patching
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.runs import Run

SECOND = timedelta(seconds=1)
FEE = 1


@step
async def price(item: int) -> int:
    return item * 10


@step
async def check(amount: int) -> bool:
    return amount < 1000


@step(retry=Retry(max_attempts=3))
async def pay(amount: int) -> int:
    return amount


@workflow("shop")
async def one_after_the_other(new: bool) -> int:
    amount = await price(1)
    if new and patched("fee"):
        await check(amount)
        amount += FEE
    paid = await pay(amount)
    return paid + await price(5)


async def branch(new: bool, item: int) -> int:
    amount = await price(item)
    if new and patched("fee"):
        amount += FEE
    return await pay(amount)


@workflow("shop")
async def side_by_side(new: bool) -> list[int]:
    return await asyncio.gather(*(branch(new, item) for item in range(3)))


@workflow("shop")
async def round_and_round(new: bool) -> list[int]:
    paid = []
    for item in range(3):
        paid.append(await branch(new, item))
    return paid


@workflow("shop")
async def from_the_start(new: bool) -> int:
    return await pay(1 + FEE if new and patched("fee") else 1)


SHAPES = [one_after_the_other, side_by_side, round_and_round, from_the_start]


def versions(shape: Workflow[..., Any]) -> tuple[Workflow[..., Any], Workflow[..., Any]]:
    """The workflow before the edit, and after it."""

    async def before() -> Any:
        return await shape.function(False)

    async def after() -> Any:
        return await shape.function(True)

    return Workflow(before, "shop"), Workflow(after, "shop")


def deployed_at(shape: Workflow[..., Any], moment: int, later: int | None = None) -> tuple[Run[Any], int]:
    """The new code is deployed at this moment, with a restart; at a later one the process dies again."""
    old, new = versions(shape)
    with Environment(old, check_replays=False) as env:
        points, stage = env._stage.state.points, env._stage

        def deploy(point: Any) -> None:
            stage.replace(new)
            stage.crash_at(point, SECOND)

        points.crash_at[moment] = deploy
        if later is not None:
            points.crash_at[later] = lambda point: stage.crash_at(point, SECOND)
        run = env.start(old)
        env.run_until(env.now + timedelta(minutes=2))  # a few seconds are enough, if it does not go round in circles
        return run, len(env.points)


def points_of(shape: Workflow[..., Any]) -> int:
    old, _ = versions(shape)
    with Environment(old) as env:
        env.run(old)
        return len(env.points)


def explore(shape: Workflow[..., Any], *, twice: bool = True) -> Iterator[Run[Any]]:
    for moment in range(points_of(shape)):
        run, length = deployed_at(shape, moment)
        yield run
        for later in range(moment + 1, length) if twice else ():
            yield deployed_at(shape, moment, later)[0]


def require_one_answer(run: Run[Any], shape: Workflow[..., Any]) -> bool:
    """It has ended well, and all that was paid is of one and the same answer. Returns the answer."""
    assert run.status == "SUCCEEDED", run.error
    paid = {call.input["amount"] for call in run.calls(pay)}
    fees = {amount % 10 for amount in paid} if shape is not from_the_start else {amount - 1 for amount in paid}
    assert len(fees) == 1, paid
    return fees == {FEE}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.function.__name__)
def test_whenever_the_edit_is_deployed_an_execution_goes_one_way(shape: Workflow[..., Any]) -> None:
    answers = {require_one_answer(run, shape) for run in explore(shape)}
    assert answers == {True, False}, "the edit comes both before and after the place"


@contextmanager
def mutant(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, wrong: Callable[..., Any]) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, wrong)
        yield


def what_is_recorded_behind_is_not_looked_at(self: Patching) -> bool:
    return False


def an_answer_is_not_recorded(self: Patching, patch: str) -> bool:
    return not self._is_past()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("_is_past", what_is_recorded_behind_is_not_looked_at), ("_answer", an_answer_is_not_recorded)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_exploration_notices(name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def all_shapes() -> None:
        for shape in SHAPES:
            for run in explore(shape, twice=False):
                require_one_answer(run, shape)

    with mutant(monkeypatch, Patching, name, wrong), pytest.raises(AssertionError):
        all_shapes()


@workflow("resumed")
async def resumed(item: int) -> str:
    amount = await price(item)
    try:
        await asyncio.gather(pay(amount), signal("go"))
    except Exception:
        new = patched("clean-up")
        await check(1 if new else 2)
        raise
    return "paid"


def test_the_answer_holds_after_a_resume() -> None:
    with Environment(resumed) as env:
        env.fail(pay, times=None)
        run = env.run(resumed, 1)
        assert run.status == "FAILED"
        env.resume(run)
        env.run_until(run)
        env.restore(pay)
        env.resume(run)
        env.signal(run, "go")
        assert env.run_until(run).result == "paid"
        assert {call.input["amount"] for call in run.calls(check)} == {1}


def a_resume_takes_answers_back(self: Order, entry: OrderEntry) -> None:
    if entry.cut is not None:
        del self.applied[entry.cut :]
        self.dispatched.clear()
        entry = OrderEntry(entry.number, entry.generation, entry.applied, entry.dispatched, entry.withdrawn)
    EXTEND(self, entry)


EXTEND = Order.extend


def test_an_answer_that_a_resume_takes_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with mutant(monkeypatch, Order, "extend", a_resume_takes_answers_back), pytest.raises(AssertionError):
        test_the_answer_holds_after_a_resume()


@workflow("looping")
async def looping(turn: int) -> list[bool]:
    first = patched("turns")
    await price(turn)
    if turn < 2:
        raise ContinueAsNew(turn + 1)
    return [first, patched("turns"), patched("other")]


@workflow("outer")
async def outer(item: int) -> list[Any]:
    return [patched("turns"), await child(looping, item)]


def test_runs_and_children_have_answers_of_their_own() -> None:
    with Environment(outer, looping) as env:
        assert env.run(outer, 0).result == [True, [True, True, True]]


def test_it_holds_on_aws_too() -> None:
    _, new = versions(side_by_side)
    with MotoCloud(new) as cloud:
        assert cloud.run(new).result == [1, 11, 21]


@workflow("retired")
async def before_the_patch(item: int) -> str:
    await price(item)
    await pay(item)
    await signal("go")
    return "old"


@workflow("retired")
async def without_the_old_code(item: int) -> str:
    await price(item)
    deprecate_patch("fee")
    await check(item)
    return "new"


@workflow("retired")
async def with_both(item: int) -> str:
    await price(item)
    if patched("fee"):
        await check(item)
        return "new"
    await pay(item)
    await signal("go")
    return "old"


def deploy(env: Environment, code: Workflow[..., Any]) -> None:
    """The process begins again with this code."""
    env._stage.replace(code)
    env.at(env.now + SECOND).crash()
    env.advance(3 * SECOND)


def test_a_deprecated_patch_fails_those_that_still_need_the_old_code() -> None:
    with Environment(before_the_patch, check_replays=False) as env:
        run = env.start(before_the_patch, 1)
        env.run_until(lambda: any(each.kind == "signal" for each in run.waiting))
        deploy(env, without_the_old_code)
        env.signal(run, "go")
        env.run_until(run)
        assert run.status == "FAILED"
        assert run.error is not None
        assert "past patch 'fee'" in run.error.message
        env._stage.replace(with_both)
        env.resume(run)
        env.run_until(run)
        assert run.result == "old"
        assert env.run(with_both, 2).result == "new"
        env._stage.replace(without_the_old_code)
        assert env.run(without_the_old_code, 3).result == "new"


def test_outside_of_an_engine_the_new_code_runs() -> None:
    assert asyncio.run(from_the_start(True)) == 1 + FEE
    with pytest.raises(ForbiddenInWorkflow, match=r"patched\(\) works only in workflow code"):
        patched("fee")
    with pytest.raises(DefinitionError):
        patched("no such name!")
