"""Executions on the embedded runtime: starts, timers, signals, cancel, failure and resume."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import GiveUp, Retry, StepFailed, current_step, now, random, signal, step, uuid4, workflow
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest, UnknownWorkflow, WrongStatus

ONCE = Retry(max_attempts=1)


class Order(BaseModel):
    item: str
    count: int = 1


class Switch:
    """A service that is down until someone repairs it, and counts its calls."""

    def __init__(self) -> None:
        self.down, self.calls = True, 0

    def call(self) -> int:
        self.calls += 1
        if self.down:
            raise ConnectionError("the service is down")
        return self.calls


def test_fifty_starts_with_one_id_start_once(embedded: Any) -> None:
    ran: list[str] = []

    @step
    def work(item: str) -> str:
        ran.append(item)
        return item

    @workflow("ordering")
    async def ordering(order: Order) -> str:
        return await work(order.item)

    app = embedded(ordering)

    async def storm() -> list[Any]:
        inputs = [{"item": "a"}, {"item": "a", "count": 1}] * 25
        return await asyncio.gather(*(app.operations.start("ordering", value, "one") for value in inputs))

    started = app.runtime.call(storm())
    assert [started_execution.created for started_execution in started].count(True) == 1
    app.ends()
    assert ran == ["a"]


def test_the_same_id_with_another_input_or_workflow_is_a_conflict(embedded: Any) -> None:
    @workflow("ordering")
    async def ordering(order: Order) -> str:
        return order.item

    @workflow("other")
    async def other(order: Order) -> str:
        return order.item

    app = embedded(ordering, other)
    app.run("ordering", {"item": "a"})
    with pytest.raises(ExecutionConflict, match="another input"):
        app.start("ordering", {"item": "a", "count": 2})
    with pytest.raises(ExecutionConflict, match="runs workflow 'ordering'"):
        app.start("other", {"item": "a"})
    assert app.start("ordering", {"item": "a", "count": 1}).status == "SUCCEEDED"


def test_bad_starts_are_refused_and_write_nothing(embedded: Any) -> None:
    @workflow("ordering")
    async def ordering(order: Order) -> str:
        return order.item

    app = embedded(ordering)
    with pytest.raises(UnknownWorkflow, match="there are: ordering"):
        app.start("nothing", {})
    with pytest.raises(InvalidRequest) as refused:
        app.start("ordering", {"count": "many"})
    assert [field for field, _ in refused.value.fields] == ["item", "count"]
    for bad in ("", "a/b", "é", "a" * 129, "a b"):
        with pytest.raises(InvalidRequest, match="execution id"):
            app.start("ordering", {"item": "a"}, bad)
    with pytest.raises(ExecutionNotFound):
        app.read()


def test_timers_fire_in_their_order_and_only_those_that_are_awaited(embedded: Any) -> None:
    @workflow("sleeping")
    async def sleeping() -> list[Any]:
        started = now()
        seen: list[str] = []

        async def after(delay: float, name: str) -> None:
            await asyncio.sleep(delay)
            seen.append(name)

        await asyncio.gather(after(0.06, "late"), after(0.02, "early"))
        try:
            async with asyncio.timeout(0.02):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("timeout")
        return [seen, now() - started >= timedelta(seconds=0.08)]

    assert embedded(sleeping).run("sleeping").result == '[["early","late","timeout"],true]'


def test_signals_are_taken_once_each_in_order_also_when_sent_early(embedded: Any) -> None:
    @workflow("waiting")
    async def waiting() -> list[Any]:
        first = await signal("go", int)
        await asyncio.sleep(0.01)
        second, third = await asyncio.gather(signal("go", int), signal("name", str))
        return [first, second, third]

    app = embedded(waiting)
    app.start("waiting")
    app.signal("name", "early")
    app.signal("go", 1, "first")
    app.signal("go", 1, "first")
    app.signal("go", 2)
    assert app.ends().result == '[1,2,"early"]'
    with pytest.raises(WrongStatus, match="SUCCEEDED"):
        app.signal("go", 3)
    assert app.signal("go", 1, "first").created is False
    with pytest.raises(ExecutionConflict, match="first"):
        app.signal("go", 9, "first")


def test_a_signal_is_checked_against_the_type_that_is_awaited(embedded: Any) -> None:
    @workflow("approval")
    async def approval() -> str:
        order = await signal("order", Order)
        return order.item

    app = embedded(approval)
    app.start("approval")
    with pytest.raises(InvalidRequest) as refused:
        app.signal("order", {"count": 1})
    assert refused.value.fields == (("item", "Field required"),)
    with pytest.raises(ExecutionNotFound):
        app.signal("order", {}, id="nobody")
    app.signal("order", {"item": "book"})
    assert app.ends().result == '"book"'


def test_half_a_surrogate_pair_is_refused(embedded: Any) -> None:
    @workflow("waiting")
    async def waiting() -> str:
        return await signal("go", str)

    app = embedded(waiting)
    app.start("waiting")
    with pytest.raises(InvalidRequest, match="surrogate"):
        app.signal("go", "\ud800")
    app.signal("go", "whole")
    assert app.ends().result == '"whole"'


def test_a_signal_that_does_not_fit_and_came_early_is_left_alone(embedded: Any) -> None:
    @workflow("approval")
    async def approval() -> int:
        await asyncio.sleep(0.05)
        return await signal("count", int)

    app = embedded(approval)
    app.start("approval")
    app.signal("count", "not a number")
    app.signal("count", 7)
    assert app.ends().result == "7"


def test_a_signal_that_does_not_come_in_time_is_a_timeout(embedded: Any) -> None:
    @workflow("impatient")
    async def impatient() -> str:
        try:
            return await signal("go", str, timeout=timedelta(seconds=0.03))
        except TimeoutError:
            return "nobody came"

    app = embedded(impatient)
    assert app.run("impatient").result == '"nobody came"'


def test_a_timeout_that_failed_an_execution_waits_again_after_a_resume(embedded: Any) -> None:
    patience = [0.05]

    @workflow("impatient")
    async def impatient() -> str:
        return await signal("go", str, timeout=patience[0])

    app = embedded(impatient)
    app.start("impatient")
    assert app.ends("FAILED").error.type == "TimeoutError"
    patience[0] = 600.0
    app.resume()
    app.signal("go", "at last")
    assert app.ends().result == '"at last"'


def test_cancel_ends_an_execution_and_stops_its_steps(embedded: Any) -> None:
    begun, stopped = threading.Event(), threading.Event()

    @step(timeout=60)
    async def endless() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            stopped.set()

    @workflow("long")
    async def long() -> None:
        await endless()

    app = embedded(long)
    app.start("long")
    assert begun.wait(10)
    assert app.cancel().status == "CANCELLED"
    assert stopped.wait(10)
    assert {record.status for record in app.records().values()} == {"CANCELLED"}
    for refused in (app.cancel, app.resume):
        with pytest.raises(WrongStatus, match="CANCELLED"):
            refused()


def test_resume_goes_on_from_the_step_that_failed(embedded: Any) -> None:
    service, ran = Switch(), []

    @step
    def first() -> str:
        ran.append("first")
        return "one"

    @step(retry=Retry(max_attempts=2, initial=0.001))
    def second(value: str) -> str:
        return f"{value} {service.call()}"

    @workflow("report")
    async def report() -> str:
        return await second(await first())

    app = embedded(report)
    failed = app.run("report")
    assert (failed.status, failed.error.step, failed.error.message) == (
        "FAILED",
        "second",
        "the service is down",
    )
    with pytest.raises(WrongStatus):
        app.cancel()
    service.down = False
    assert app.resume().generation == 1
    assert app.ends().result == '"one 3"'
    assert ran == ["first"]
    history = app.history()
    assert history == [
        "execution-started",
        "attempt-started first",
        "step-succeeded first",
        "attempt-started second",
        "attempt-failed second",
        "attempt-started second",
        "attempt-failed second",
        "step-failed second",
        "execution-failed",
        "command-reopened second",
        "execution-resumed",
        "attempt-started second",
        "step-succeeded second",
        "execution-succeeded",
    ]
    assert app.history() == history


def test_compensation_is_rewound_with_the_failure(embedded: Any) -> None:
    service, notices = Switch(), []

    @step(retry=ONCE)
    def pay() -> int:
        return service.call()

    @step
    def notify(text: str) -> str:
        notices.append((text, current_step().idempotency_key))
        return text

    @workflow("saga")
    async def saga() -> str:
        try:
            await pay()
        except StepFailed:
            await notify("failed")
            raise
        return await notify("worked")

    app = embedded(saga)
    app.run("saga")
    service.down = False
    app.resume()
    assert app.ends().result == '"worked"'
    assert [text for text, _ in notices] == ["failed", "worked"]
    assert notices[0][1] != notices[1][1]


def test_a_failed_sibling_of_a_task_group_runs_again_and_a_finished_one_does_not(embedded: Any) -> None:
    service, ran = Switch(), []

    @step(retry=ONCE)
    async def good(n: int) -> int:
        ran.append(n)
        return n

    @step(retry=ONCE)
    async def bad(n: int) -> int:
        return service.call()

    @workflow("group")
    async def group() -> int:
        before = await good(0)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bad(1))
            tasks.create_task(bad(2))
        return before

    app = embedded(group)
    assert app.run("group").error.type == "ExceptionGroup"
    service.down = False
    app.resume()
    assert app.ends().result == "0"
    assert ran == [0]


def test_a_bug_in_workflow_code_is_resumable_once_mended(embedded: Any) -> None:
    ran: list[int] = []

    @step
    def work(n: int) -> int:
        ran.append(n)
        return n

    @workflow("buggy")
    async def buggy() -> int:
        value = await work(20)
        return value // 0

    @workflow("buggy")
    async def mended() -> int:
        value = await work(20)
        return value // 2

    app = embedded(buggy)
    failed = app.run("buggy")
    assert failed.error.type == "ZeroDivisionError"
    assert "value // 0" in failed.error.traceback
    app.reopen(mended)
    app.resume()
    assert app.ends().result == "10"
    assert ran == [20]


def test_workflow_code_that_does_io_fails_and_says_what_to_do(embedded: Any) -> None:
    @workflow("peeking")
    async def peeking() -> str:
        with open("/etc/hostname") as file:
            return file.read()

    error = embedded(peeking).run("peeking").error
    assert error.type == "ForbiddenInWorkflow"
    assert "@step" in error.message


def test_dead_letters_are_replayed_and_those_that_cannot_be_are_reported(embedded: Any) -> None:
    service = Switch()

    @step(retry=ONCE)
    def work() -> int:
        return service.call()

    @workflow("w")
    async def w() -> int:
        return await work()

    app = embedded(w)
    for number in range(5):
        app.run("w", None, f"e{number}")
    service.down = False
    results = app.runtime.call(app.operations.replay_dead_letters(["e0", "e1", "nobody", "e0"]))
    assert [(result.execution_id, result.resumed) for result in results] == [
        ("e0", True), ("e1", True), ("nobody", False), ("e0", False),
    ]  # fmt: skip
    app.ends(id="e0")
    app.ends(id="e1")
    assert app.read("e2").status == "FAILED"


def test_random_values_differ_from_each_other_and_stay_the_same(embedded: Any) -> None:
    @step
    async def tick() -> None: ...

    @workflow("dice")
    async def dice() -> list[Any]:
        values = [random(), random(), str(uuid4()), str(uuid4())]
        await tick()
        return [*values, random()]

    app = embedded(dice)
    first, second = app.run("dice", id="a"), app.run("dice", id="b")
    values = {*json.loads(first.result), *json.loads(second.result)}
    assert len(values) == 10


def test_an_execution_of_a_workflow_that_is_gone_waits_for_it(embedded: Any) -> None:
    @step
    async def work() -> str:
        return "done"

    @workflow("gone")
    async def gone() -> str:
        await signal("go", int)
        return await work()

    @workflow("stays")
    async def stays() -> None: ...

    app = embedded(gone)
    app.start("gone")
    app.reopen(stays)
    app.signal("go", 1)
    app.run("stays", id="other")
    assert app.read().status == "RUNNING"
    app.reopen(gone, stays)
    assert app.ends().result == '"done"'


def test_give_up_in_workflow_code_fails_the_execution(embedded: Any) -> None:
    @workflow("quits")
    async def quits() -> None:
        raise GiveUp("no use")

    failed = embedded(quits).run("quits")
    assert (failed.error.type, failed.error.message, failed.error.step) == ("GiveUp", "no use", None)


def test_a_deadlock_is_told(embedded: Any) -> None:
    @workflow("stuck")
    async def stuck() -> None:
        await asyncio.Event().wait()

    assert embedded(stuck).run("stuck").error.type == "Deadlock"


def test_executions_that_wait_do_not_stop_others(embedded: Any) -> None:
    @workflow("waiting")
    async def waiting() -> int:
        return await signal("go", int)

    app = embedded(waiting)
    for number in range(200):
        app.start("waiting", None, f"e{number}")
    app.signal("go", 5, id="e150")
    assert app.ends(id="e150").result == "5"
    assert app.read("e0").status == "RUNNING"
