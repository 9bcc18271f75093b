"""What an advance answers with: the execution that it has read, what it sent, and whether it wrote the end."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Commit, End
from stepfast.language.registry import Registry
from stepfast.model import Record


@step
async def work(number: int) -> int:
    return number


@workflow("adds")
async def adds(number: int) -> int:
    return await work(number)


@workflow("unknown")
async def unknown() -> None: ...


@pytest.fixture
def advancer(backend: Any) -> Advancer:
    made = Advancer(backend.store, backend.queue, backend.clock, Registry([adds]))
    operations = Operations(backend.store, backend.clock, Registry([adds, unknown]), made)
    backend.run(operations.start("adds", 1, "one"))
    backend.run(operations.start("unknown", None, "other"))
    return made


def done(backend: Any) -> bool:
    record = Record("work", "step", "work", "SUCCEEDED", 0, attempt=1, input='{"number": 1}', output="1")
    return bool(backend.run(backend.store.commit("one", Commit(record, wake=True))))


def test_it_tells_what_was_sent(backend: Any, advancer: Advancer) -> None:
    advanced = backend.run(advancer.advance("one"))
    assert [(message.execution_id, message.command_id, due) for message, due in advanced.sent] == [
        ("one", "work", None)
    ]
    assert (advanced.snapshot.execution.execution_id, advanced.finished, advanced.waits) == ("one", False, False)
    assert backend.run(advancer.advance("one")).sent == advanced.sent  # what is alone is not marked: it is sent anew
    with pytest.raises(dataclasses.FrozenInstanceError):
        advanced.finished = True


def test_it_tells_of_the_end_that_it_has_written(backend: Any, advancer: Advancer) -> None:
    assert done(backend)
    advanced = backend.run(advancer.advance("one"))
    assert (advanced.sent, advanced.finished) == ((), True)
    assert not backend.run(advancer.advance("one")).finished


def test_an_end_that_another_has_written_is_not_its_own(
    backend: Any, advancer: Advancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert done(backend)
    real = backend.store.finish

    async def late(end: End) -> bool:
        assert await real(End(dataclasses.replace(end.execution, status="CANCELLED", result=None)))
        return bool(await real(end))

    monkeypatch.setattr(backend.store, "finish", late)
    assert not backend.run(advancer.advance("one")).finished
    assert backend.run(backend.store.read("one")).status == "CANCELLED"


def test_it_tells_what_is_not_deployed_and_what_is_not_there(backend: Any, advancer: Advancer) -> None:
    advanced = backend.run(advancer.advance("other"))
    assert (advanced.snapshot.execution.workflow, advanced.sent, advanced.waits) == ("unknown", (), True)
    assert backend.run(advancer.advance("nobody")).snapshot is None
