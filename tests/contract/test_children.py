"""Children of executions in both homes: typed results, failures, ids, gathers, and what is refused."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import ChildFailed, Retry, StepFailed, child, step, workflow
from stepfast.deployment.project import Project
from stepfast.errors import DefinitionError, ForbiddenInWorkflow
from stepfast.testing import Environment, MotoCloud

HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])
ONCE = Retry(max_attempts=1)


class Order(BaseModel):
    number: int


class Receipt(BaseModel):
    number: int
    total: int


class Declined(Exception):
    pass


@step(retry=ONCE)
async def charge(number: int) -> int:
    if number == 3:
        raise Declined("no cover")
    return number * 100


@step
async def note(text: str) -> str:
    return text


@workflow("pay")
async def pay(order: Order) -> Receipt:
    return Receipt(number=order.number, total=await charge(order.number))


@workflow("tick")
async def tick() -> str:
    return await note("tick")


@workflow("one-after-the-other")
async def one_after_the_other(number: int) -> list[int]:
    first = await child(pay, Order(number=number))
    middle = await note("between")
    second = await child(pay, Order(number=number + 10))
    return [first.total, len(middle), second.total, len(await child(tick))]


@workflow("side-by-side")
async def side_by_side(count: int) -> list[Any]:
    receipts = await asyncio.gather(*(child(pay, Order(number=10 + n)) for n in range(count)), note("and a step"))
    return [receipt.total if isinstance(receipt, Receipt) else receipt for receipt in receipts]


@workflow("everywhere")
async def everywhere(_: int) -> list[int]:
    async with asyncio.TaskGroup() as group:
        grouped = group.create_task(child(pay, Order(number=1)))
    done, left = await asyncio.wait([asyncio.create_task(child(pay, Order(number=2)))])
    async with asyncio.timeout(3600):
        timed = await child(pay, Order(number=4))
    waited = await asyncio.wait_for(child(pay, Order(number=5)), 3600)
    assert not left
    return [grouped.result().total, next(iter(done)).result().total, timed.total, waited.total]


@workflow("careful")
async def careful(_: int) -> list[Any]:
    try:
        await child(pay, Order(number=3), id="declined")
    except StepFailed as error:
        failed: Any = error if isinstance(error, ChildFailed) else None
    return [
        failed.execution_id,
        failed.workflow,
        failed.failed_step,
        failed.message,
        failed.is_a(Declined),
        str(failed),
    ]


@workflow("careless")
async def careless(_: int) -> int:
    return (await child(pay, Order(number=3))).total


@workflow("endless")
async def endless(level: int) -> int:
    return await child(endless, level + 1)


@workflow("misfit")
async def misfit() -> int:
    return (await child(pay, "seven")).total  # type: ignore[arg-type]


@HOMES
def test_a_child_is_an_execution_with_a_typed_result(home: Any) -> None:
    with home(one_after_the_other, pay, tick) as env:
        run = env.run(one_after_the_other, 7, execution_id="p")
        assert run.result == [700, 7, 1700, 4]
        assert [one.execution_id for one in run.children] == ["p.pay", "p.pay-2", "p.tick"]
        first, second, last = run.children
        assert (first.status, first.result) == ("SUCCEEDED", Receipt(number=7, total=700))
        assert (second.result.number, last.result) == (17, "tick")


@HOMES
def test_children_run_side_by_side_in_a_gather(home: Any) -> None:
    with home(side_by_side, pay) as env:
        run = env.run(side_by_side, 3, execution_id="p")
        assert run.result == [1000, 1100, 1200, "and a step"]
        assert [(one.execution_id, one.status) for one in run.children] == [
            ("p.pay", "SUCCEEDED"),
            ("p.pay-2", "SUCCEEDED"),
            ("p.pay-3", "SUCCEEDED"),
        ]


@HOMES
def test_a_child_goes_wherever_an_awaitable_goes(home: Any) -> None:
    with home(everywhere, pay) as env:
        assert env.run(everywhere, 0).result == [100, 200, 400, 500]


@HOMES
def test_a_failed_child_arrives_as_child_failed_with_its_id_and_its_failure(home: Any) -> None:
    with home(careful, pay) as env:
        run = env.run(careful, 0)
        assert run.result[:5] == ["declined", "pay", "charge", "no cover", True]
        assert run.result[5] == "child 'pay' (declined) failed in step 'charge': Declined: no cover"
        assert [(one.execution_id, one.status) for one in run.children] == [("declined", "FAILED")]


@HOMES
def test_a_failure_that_nobody_catches_fails_the_parent_with_the_childs_error(home: Any) -> None:
    with home(careless, pay) as env:
        run = env.run(careless, 0)
        assert run.status == "FAILED"
        assert (run.error.type, run.error.step) == ("Declined", "charge")


@HOMES
def test_a_child_is_faked_as_a_step_is(home: Any) -> None:
    with home(one_after_the_other, careful, pay, tick) as env:
        env.fake(pay, lambda order: Receipt(number=order.number, total=order.number), takes=timedelta(minutes=5))
        start = env.now
        run = env.run(one_after_the_other, 7, execution_id="p")
        assert run.result == [7, 7, 17, 4]
        assert env.now - start >= timedelta(minutes=10)
        assert [one.status for one in run.children] == ["SUCCEEDED"] * 3
        assert run.children[0].calls(charge) == []

        def decline(order: Order) -> Receipt:
            raise Declined("no more")

        env.fake(pay, decline)
        assert env.run(careful, 0).result[1:5] == ["pay", "fake.pay", "no more", True]
        env.restore(pay)
        assert env.run(one_after_the_other, 1).result == [100, 7, 1100, 4]


@HOMES
def test_a_workflow_that_is_not_deployed_cannot_be_a_child(home: Any) -> None:
    with home(careless) as env:
        run = env.run(careless, 0)
        assert (run.status, run.error.type) == ("FAILED", "WorkflowNotDeployed")
        assert "workflow 'pay' is not in this deployment, so it cannot be a child here" in run.error.message


@HOMES
def test_recursion_without_end_is_stopped(home: Any) -> None:
    options: dict[str, Any] = {} if home is Environment else {"project": Project(max_child_depth=4)}
    with home(endless, **options) as env:
        run = env.run(endless, 0, execution_id="e")
        assert run.status == "FAILED"
        assert run.error.type == "TooManyLevels"
        assert "raise max_child_depth" in run.error.message


@HOMES
def test_an_id_that_exists_is_a_clear_failure(home: Any) -> None:
    with home(careful, pay) as env:
        env.run(pay, {"number": 1}, execution_id="declined")
        result = env.run(careful, 0).result
        assert result[:3] == ["", "pay", None]
        assert "execution 'declined' exists and was not started by this call of child()" in result[3]


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (("pay",), {}, "a workflow of another deployment cannot be a child: start it in a step, with stepfast.Client"),
        ((charge,), {}, "child() takes a workflow of this deployment"),
        ((pay, Order(number=1)), {"id": "a b"}, "child 'pay': id is 1 to 128 of"),
        ((pay, Order(number=1)), {"on_cancel": "stop"}, "on_cancel is 'cancel' or 'leave', not 'stop'"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], options: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(said)):
        _ = child(*arguments, **options)


def test_an_input_that_does_not_fit_fails_the_parent() -> None:
    with Environment(misfit, pay) as env:
        run = env.run(misfit)
        assert run.error is not None
        assert run.error.type == "NotStorable"
        assert run.children == []


def test_a_child_belongs_into_workflow_code() -> None:
    with pytest.raises(ForbiddenInWorkflow, match="child\\(\\) works only in workflow code"):
        _ = child(pay, Order(number=1))


def test_outside_of_an_engine_a_child_is_a_plain_call() -> None:
    assert asyncio.run(one_after_the_other(7)) == [700, 7, 1700, 4]


@HOMES
def test_many_children_of_one_gather(home: Any) -> None:
    count = 120 if home is Environment else 12
    with home(side_by_side, pay) as env:
        run = env.run(side_by_side, count, execution_id="p")
        assert run.result[:-1] == [100 * (10 + number) for number in range(count)]
