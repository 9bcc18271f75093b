"""Edits of code that asks for children; each docstring is a row of docs/versioning.md."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import child, signal, step, workflow
from stepfast.language.workflows import Workflow
from tests.versioning.versions import Versions
from tests.waiting import until

AnyWorkflow = Workflow[..., Any]


@pytest.fixture
def pay(ran: list[str]) -> Any:
    @step(name="pay")
    async def pay(number: int) -> int:
        ran.append(f"pay {number}")
        return number

    return pay


@workflow("hold")
async def hold(number: int) -> int:
    await signal("done")
    return number


def paying(pay: Any) -> AnyWorkflow:
    @workflow("kid")
    async def kid(number: int) -> int:
        return int(await pay(number))

    return kid


def asking(kid: AnyWorkflow, number: int, **options: Any) -> AnyWorkflow:
    """A workflow that asks for a child, and waits for a signal after it."""

    @workflow("w")
    async def w() -> int:
        result = await child(kid, number, **options)
        await signal("go")
        return int(result)

    return w


def begin(app: Versions, *workflows: AnyWorkflow, until_child: str | None = None) -> None:
    """Starts `one` with old code, until its child waits, or has ended."""
    app.reopen(*workflows)
    app.start("w")
    waits = (
        (lambda: "signal:go" in app.waiting(extend=False))
        if until_child is None
        else (lambda: exists(app, until_child))
    )
    until(waits)


def exists(app: Versions, id: str) -> bool:
    return bool(app.runtime.call(app.operations.read_many([id])))


def test_the_code_of_a_child_changes(app: Versions, ran: list[str], pay: Any) -> None:
    """change the code of a workflow that runs as a child"""

    @workflow("hold")
    async def mended(number: int) -> int:
        await signal("done")
        return int(await pay(number * 10))

    begin(app, asking(hold, 1), hold, until_child="one.hold")
    app.reopen(asking(mended, 1), mended)
    app.signal("done", None, id="one.hold")
    until(lambda: "signal:go" in app.waiting(extend=False))
    app.signal("go", None)
    assert app.ends().result == "10"


def test_what_becomes_of_a_child_changes(app: Versions) -> None:
    """change `on_cancel` of a child"""
    begin(app, asking(hold, 1), hold, until_child="one.hold")
    app.reopen(asking(hold, 1, on_cancel="leave"), hold)
    app.cancel("one")
    until(lambda: app.runtime.call(app.operations.read("one.hold")).status == "CANCELLED")


def test_a_part_of_the_workflow_becomes_a_child(app: Versions, ran: list[str], pay: Any) -> None:
    """run a workflow as a child that was awaited as a part of this one, or the reverse"""
    kid = paying(pay)

    @workflow("w")
    async def as_a_part() -> int:
        result: int = await kid(1)
        await signal("go")
        return result

    begin(app, as_a_part, kid)
    app.reopen(asking(kid, 1), kid)
    until(lambda: "signal:go" in app.waiting(extend=False))
    app.signal("go", None)
    assert app.ends().result == "1"
    assert ran == ["pay 1", "pay 1"]


def test_the_input_of_a_child_that_has_ended_changes(app: Versions, ran: list[str], pay: Any) -> None:
    """change the input of a child that was started"""
    kid = paying(pay)
    begin(app, asking(kid, 1), kid)
    app.reopen(asking(kid, 2), kid)
    app.signal("go", None)
    failed = app.ends("FAILED")
    assert failed.error is not None
    assert failed.error.type == "NonDeterministic"
    assert "'child:kid' was recorded with the input 1" in failed.error.message
    assert ran == ["pay 1"]
