"""What operators do to children and their parents, in both homes: resume, cancel, delete."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from stepfast import ChildFailed, Retry, child, signal, step, workflow
from stepfast.engine.verify import verify
from stepfast.errors import ExecutionNotFound, WrongStatus
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.cloud.cloud_stage import require_success
from stepfast.testing.memory import finished

HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])
ONCE = Retry(max_attempts=1)


class Declined(Exception):
    pass


@step(retry=ONCE)
async def charge(number: int) -> int:
    return number


@step(retry=ONCE)
async def ship(number: int) -> int:
    return number


@workflow("pay")
async def pay(number: int) -> int:
    paid = await charge(number)
    return await ship(paid)


@workflow("hold")
async def hold(number: int) -> int:
    await signal("go")
    return await charge(number)


@workflow("middle")
async def middle(number: int) -> int:
    return await child(pay, number) + 1


@workflow("top")
async def top(number: int) -> list[int]:
    return list(await asyncio.gather(child(middle, number), child(pay, number + 1), charge(number + 2)))


@workflow("both")
async def both(_: int) -> list[int]:
    return list(await asyncio.gather(child(hold, 1), child(hold, 2, on_cancel="leave"), child(pay, 3)))


@workflow("forgiving")
async def forgiving(_: int) -> str:
    try:
        await child(pay, 1)
    except ChildFailed as error:
        await signal("on")
        return error.error_type
    return "paid"


@workflow("impatient")
async def impatient(on_cancel: str) -> str:
    try:
        async with asyncio.timeout(60):
            await child(hold, 1, on_cancel="leave" if on_cancel == "leave" else "cancel")
    except TimeoutError:
        await charge(5)
        await asyncio.sleep(600)
        return "late"
    return "in time"


@workflow("racing")
async def racing(_: int) -> int:
    tasks = [asyncio.create_task(child(hold, 1)), asyncio.create_task(child(pay, 2))]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.sleep(60)
    return next(iter(done)).result()


@workflow("timing-out")
async def timing_out(_: int) -> int:
    async with asyncio.timeout(60):
        return await child(hold, 7)


@workflow("leaves-one")
async def leaves_one(_: int) -> str:
    running = [asyncio.create_task(child(hold, 1)), asyncio.create_task(child(hold, 2, on_cancel="leave"))]
    await asyncio.sleep(1)
    return f"{len(running)} run on"


def statuses(run: Any) -> list[tuple[str, str]]:
    return [(one.execution_id, one.status) for one in run.children]


@HOMES
def test_a_resume_of_the_root_resumes_what_failed_below_it_and_nothing_else(home: Any) -> None:
    with home(top, middle, pay) as env:
        env.fail(ship, 2, Declined("no"))
        run = env.run(top, 1, execution_id="t")
        assert run.status == "FAILED"
        env.advance(timedelta(minutes=1))  # the other child fails as well
        env.resume(run)
        env.run_until(run)
        assert run.result == [2, 2, 3]
        inner = run.children[0]
        assert statuses(run) == [("t.middle", "SUCCEEDED"), ("t.pay", "SUCCEEDED")]
        assert statuses(inner) == [("t.middle.pay", "SUCCEEDED")]
        for paid in (inner.children[0], run.children[1]):
            assert len(paid.calls(charge)) == 1
            assert [call.attempt for call in paid.calls(ship)] == [1, 1]
        assert len(run.calls(charge)) == 1


@HOMES
def test_a_resume_of_a_child_by_hand_goes_on_from_the_root(home: Any) -> None:
    with home(top, middle, pay) as env:
        env.fail(ship, 1, Declined("no"))
        run = env.run(top, 1, execution_id="t")
        lowest = run.children[0].children[0] if run.children[0].status == "FAILED" else run.children[1]
        env.resume(lowest)
        env.run_until(run)
        assert run.result == [2, 2, 3]


@HOMES
def test_a_child_that_is_resumed_while_its_parent_runs_on_changes_nothing_for_the_parent(home: Any) -> None:
    with home(forgiving, pay) as env:
        env.fail(ship, 1, Declined("no"))
        run = env.start(forgiving, 0, execution_id="f")
        env.run_until(lambda: run.waiting and run.waiting[0].kind == "signal")
        paid = run.children[0]
        assert paid.status == "FAILED"
        env.resume(paid)
        env.run_until(paid)
        assert (paid.status, run.status) == ("SUCCEEDED", "RUNNING")
        env.signal(run, "on")
        env.run_until(run)
        assert run.result == "Declined"


@HOMES
def test_a_cancel_of_the_parent_cancels_children_or_leaves_them(home: Any) -> None:
    with home(both, hold, pay) as env:
        run = env.start(both, 0, execution_id="b")
        env.run_until(lambda: len(run.children) == 3 and run.children[2].status == "SUCCEEDED")
        env.cancel(run)
        env.advance(timedelta(minutes=1))
        assert statuses(run) == [("b.hold", "CANCELLED"), ("b.hold-2", "RUNNING"), ("b.pay", "SUCCEEDED")]
        env.signal("b.hold-2", "go")
        env.run_until(run.children[1])
        assert run.children[1].result == 2


@HOMES
def test_a_child_that_is_cancelled_arrives_as_child_failed(home: Any) -> None:
    with home(forgiving, pay, both, hold) as env:
        run = env.start(both, 0, execution_id="b")
        env.run_until(lambda: len(run.children) == 3)
        env.cancel("b.hold")
        env.run_until(run)
        assert run.status == "FAILED"
        assert run.error.type == "ExecutionCancelled"
        env.resume(run)  # a cancelled child cannot go on: another is started in its place
        env.run_until(lambda: "b.hold_g1" in [one.execution_id for one in run.children])
        for id in ("b.hold_g1", "b.hold-2"):
            env.signal(id, "go")
        env.run_until(run)
        assert run.result == [1, 2, 3]


@HOMES
@pytest.mark.parametrize(("on_cancel", "status"), [("cancel", "CANCELLED"), ("leave", "RUNNING")])
def test_a_child_that_has_timed_out_is_cancelled_or_left(home: Any, on_cancel: str, status: str) -> None:
    with home(impatient, hold) as env:
        run = env.start(impatient, on_cancel, execution_id="i")
        env.advance(timedelta(minutes=5))
        assert statuses(run) == [("i.hold", status)]
        env.run_until(run)
        assert run.result == "late"
        assert statuses(run) == [("i.hold", status)]


@HOMES
def test_the_loser_of_a_race_is_cancelled(home: Any) -> None:
    with home(racing, hold, pay) as env:
        run = env.run(racing, 0, execution_id="r")
        assert run.result == 2
        assert statuses(run) == [("r.hold", "CANCELLED"), ("r.pay", "SUCCEEDED")]


@HOMES
def test_a_timeout_that_fails_the_parent_is_resumed_with_a_child_that_runs(home: Any) -> None:
    with home(timing_out, hold) as env:
        run = env.run(timing_out, 0, execution_id="t")
        assert run.error.type == "TimeoutError"
        env.resume(run)
        env.advance(timedelta(seconds=5))
        running = [one for one in run.children if one.status == "RUNNING"]
        assert len(running) == 1
        env.signal(running[0], "go")
        env.run_until(run)
        assert run.result == 7


@HOMES
def test_children_that_a_parent_leaves_behind_are_ended_with_it(home: Any) -> None:
    with home(leaves_one, hold) as env:
        run = env.run(leaves_one, 0, execution_id="l")
        env.advance(timedelta(minutes=1))
        assert statuses(run) == [("l.hold", "CANCELLED"), ("l.hold-2", "RUNNING")]


@HOMES
def test_deletion_takes_children_along_but_not_those_that_were_left(home: Any) -> None:
    with home(both, hold, pay, top, middle) as env:
        run = env.start(both, 0, execution_id="b")
        env.run_until(lambda: len(run.children) == 3 and run.children[2].status == "SUCCEEDED")
        deep = env.run(top, 1, execution_id="t")
        env.cancel(run)
        env.advance(timedelta(minutes=1))
        children = [*run.children, *deep.children, *deep.children[0].children]
        with pytest.raises(WrongStatus, match="RUNNING"):
            delete(env, "b.hold-2")
        delete(env, "b")
        delete(env, "t")
        left = [one.execution_id for one in children if exists(one)]
        assert left == ["b.hold-2"]


@HOMES
def test_a_child_is_not_deleted_under_a_parent_that_runs(home: Any) -> None:
    with home(both, hold, pay) as env:
        run = env.start(both, 0, execution_id="b")
        env.run_until(lambda: len(run.children) == 3 and run.children[2].status == "SUCCEEDED")
        with pytest.raises(WrongStatus, match="child of 'b', which is RUNNING"):
            delete(env, "b.pay")


def delete(env: Any, id: str) -> None:
    if isinstance(env, Environment):
        finished(env._stage.operations.delete(id))
    else:
        require_success(env.request("DELETE", f"/v1/executions/{id}"), id)


def exists(run: Any) -> bool:
    try:
        return bool(run.status)
    except ExecutionNotFound:
        return False


def test_verify_reproduces_parents_and_children() -> None:
    with Environment(top, middle, pay, both, hold) as env:
        env.fail(ship, 1, Declined("no"))
        failed, running = env.run(top, 1, execution_id="t"), env.start(both, 0, execution_id="b")
        env.run_until(lambda: len(running.children) == 3)
        env.advance(timedelta(minutes=1))
        registry = Registry([top, middle, pay, both, hold])
        runs = [failed, *failed.children, *failed.children[0].children, running, *running.children]
        for run in runs:
            verdict = verify(registry, run._reading.snapshot(run.execution_id))
            assert (verdict.outcome, verdict.problem) == ("reproduced", None), run.execution_id


def test_children_expire_with_their_root_in_a_file() -> None:
    with Environment(top, middle, pay, both, hold) as env:
        run = env.run(top, 1, execution_id="t")
        running = env.start(both, 0, execution_id="b")
        env.run_until(lambda: len(running.children) == 3 and running.children[2].status == "SUCCEEDED")
        members = [run, *run.children, *run.children[0].children, running, *running.children]
        finished(env._stage.operations._store.expire(env.now.timestamp() + 1))
        assert [one.execution_id for one in members if exists(one)] == ["b", "b.hold", "b.hold-2", "b.pay"]
