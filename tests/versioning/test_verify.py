"""`stepfast.engine.verify`: what mended and broken code make of executions of every status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepfast import Retry, StepFailed, step, workflow
from stepfast.backends.sqlite.read_only import ReadOnlyFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.verify import Verdict, verify
from stepfast.errors import Misconfigured, StartupError
from stepfast.language.registry import Registry
from stepfast.local.runtime import SystemClock
from stepfast.model import Execution
from tests.simulation.invariants import ID
from tests.simulation.test_simulation import ran
from tests.simulation.workflows import WORKFLOWS
from tests.versioning.versions import AnyWorkflow, Versions, go
from tests.waiting import until


@pytest.fixture
def verdict(app: Versions) -> Callable[..., Verdict]:
    """Verifies the execution with other code, while its owner runs on."""

    def ask(*code: AnyWorkflow) -> Verdict:
        store = SqliteBackend(ReadOnlyFile(app.path), SystemClock())
        try:
            snapshot = asyncio.run(store.load("one"))
            assert snapshot is not None
            return verify(Registry(code), snapshot)
        finally:
            store.close()

    return ask


def paying(do: Any, amount: int, *more: str, returns: str | None = None) -> AnyWorkflow:
    @workflow("w")
    async def w() -> str:
        result = str(await do("pay", amount))
        await go()
        for name in more:
            await do(name)
        return returns or result

    return w


def test_a_running_execution(app: Versions, do: Any, verdict: Any) -> None:
    app.begin(paying(do, 1))
    assert verdict(paying(do, 1)).outcome == "reproduced"
    assert verdict(paying(do, 1, "ship")).outcome == "reproduced"
    found = verdict(paying(do, 2))
    assert found.outcome == "differs"
    assert found.problem == (
        "NonDeterministic: 'pay' was recorded with the input {\"argument\":1}; "
        'the code now asks for it with {"argument":2}'
    )

    @workflow("w")
    async def stuck() -> str:
        await asyncio.Event().wait()
        return ""

    assert "the code now fails with Deadlock" in str(verdict(stuck).problem)


def test_an_execution_that_succeeded(app: Versions, do: Any, verdict: Any) -> None:
    app.begin(paying(do, 1))
    app.signal("go", None)
    assert app.ends().result == '"pay 1"'
    assert verdict(paying(do, 1)).outcome == "reproduced"
    assert verdict(paying(do, 1, "ship")).problem == "it SUCCEEDED; the code now goes on and asks for 'ship'"
    other = verdict(paying(do, 1, returns="else"))
    assert other.problem == 'it SUCCEEDED with "pay 1"; the code now returns "else"'

    @workflow("w")
    async def broken() -> str:
        raise KeyError("a new bug")

    assert verdict(broken).problem == "it SUCCEEDED; the code now fails with KeyError: 'a new bug'"


@step(retry=Retry(max_attempts=1))
async def refuse() -> str:
    raise ConnectionError("refused")


def test_an_execution_that_failed(app: Versions, do: Any, verdict: Any) -> None:
    @workflow("w")
    async def fails() -> str:
        return await refuse()

    @workflow("w")
    async def catches() -> str:
        try:
            return await refuse()
        except StepFailed:
            return str(await do("instead"))

    @workflow("w")
    async def fails_otherwise() -> str:
        try:
            return await refuse()
        except StepFailed as error:
            raise ValueError("another error") from error

    app.reopen(fails)
    app.run("w")
    assert verdict(fails).outcome == "reproduced"
    assert verdict(catches).outcome == "mended"
    expected = "it FAILED with ConnectionError; the code now fails with ValueError: another error"
    assert verdict(fails_otherwise).problem == expected


def test_code_that_is_still_broken_is_no_reproduction(app: Versions, do: Any, verdict: Any) -> None:
    app.begin(paying(do, 1))
    app.refused(paying(do, 2))
    assert verdict(paying(do, 2)).outcome == "differs"
    assert verdict(paying(do, 1)).outcome == "mended"


def test_an_execution_that_was_cancelled(app: Versions, do: Any, verdict: Any) -> None:
    app.begin(paying(do, 1))
    app.cancel()
    assert verdict(paying(do, 1)).outcome == "reproduced"
    assert verdict(paying(do, 2)).outcome == "differs"


def test_a_workflow_that_is_gone_matters_only_to_what_has_not_ended(app: Versions, do: Any, verdict: Any) -> None:
    app.begin(paying(do, 1))
    assert verdict().problem == "no workflow is named 'w': it waits until there is one"
    app.signal("go", None)
    app.ends()
    assert verdict().outcome == "retired"


def test_reading_takes_no_lock_and_writes_nothing(app: Versions, do: Any) -> None:
    app.begin(paying(do, 1))
    store = SqliteBackend(ReadOnlyFile(app.path), SystemClock())
    app.signal("go", None)
    app.ends()
    read = asyncio.run(store.read("one"))
    assert read is not None
    assert read.status == "SUCCEEDED"
    with pytest.raises(Misconfigured, match="readonly.*writable"):
        asyncio.run(store.create(Execution("two", "w", "null", 0.0)))
    store.close()
    app.reopen()
    until(lambda: app.read().status == "SUCCEEDED")


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="there is no file.*--db"):
        ReadOnlyFile(tmp_path / "missing.db")
    (tmp_path / "text.db").write_text("no database at all, though long enough to be looked at" * 100)
    with pytest.raises(StartupError, match="cannot read"):
        ReadOnlyFile(tmp_path / "text.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(StartupError, match="is not a stepfast database"):
        ReadOnlyFile(tmp_path / "empty.db")


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_whatever_happened_to_an_execution_its_own_code_reproduces_it(name: str) -> None:
    """Executions of the simulation: crashes, duplicates, resumes and cancels behind them."""
    for seed in range(12):
        with ran(name, seed) as world:
            load = world.backend.load(ID)
            try:
                load.send(None)
            except StopIteration as loaded:
                found = verify(world.registry, loaded.value)
                assert found.outcome == "reproduced", (name, seed, found.problem)
