"""A signal that is sent twice at once is one signal, whatever the first of the two has led to meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import signal, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.operations import Operations
from stepfast.errors import ExecutionConflict, InvalidRequest, WrongStatus
from stepfast.language.registry import Registry
from stepfast.model import SignalLimits


@workflow("one-signal")
async def one_signal() -> int:
    return await signal("go", int)


@workflow("another-type")
async def another_type() -> str:
    await signal("go", int)
    return await signal("go", str)


class Overtaken:
    """A store where all of another call happens between the first look for a signal and what follows it."""

    def __init__(self, store: Any, overtake: Any) -> None:
        self._store, self._overtake = store, overtake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def signal(self, execution_id: str, signal_id: str) -> Any:
        held = await self._store.signal(execution_id, signal_id)
        overtake, self._overtake = self._overtake, None
        if overtake is not None:
            await overtake()
        return held


class Twins:
    """An execution of a workflow, and a call that is overtaken by the call of `overtake_with`."""

    def __init__(self, backend: Any, workflow: Any, limits: SignalLimits) -> None:
        self.backend = backend
        registry = Registry([workflow])
        self.advancer = Advancer(backend.store, backend.queue, backend.clock, registry)
        self.first = Operations(backend.store, backend.clock, registry, self.advancer, None, limits)
        overtaken: Any = Overtaken(backend.store, self.overtake)
        self.second = Operations(overtaken, backend.clock, registry, self.advancer, None, limits)
        self.sent: tuple[str, int, str] | None = ("go", 1, "s1")
        backend.run(self.first.start(workflow.name, None, "one"))
        backend.run(self.advancer.advance("one"))

    async def overtake(self) -> None:
        if self.sent is not None:
            assert (await self.first.signal("one", *self.sent)).created
            await self.advancer.advance("one")

    def send(self, payload: int = 1) -> Any:
        return self.backend.run(self.second.signal("one", "go", payload, "s1"))

    def count(self) -> int:
        return len(self.backend.run(self.backend.store.signals("one")))


@pytest.mark.parametrize(
    ("workflow", "limits"),
    [(one_signal, SignalLimits()), (another_type, SignalLimits()), (another_type, SignalLimits(count=1))],
    ids=["has-ended", "waits-for-another-type", "is-full"],
)
def test_the_second_of_two_equal_calls_is_answered_as_a_repetition(backend: Any, workflow: Any, limits: Any) -> None:
    twins = Twins(backend, workflow, limits)
    sent = twins.send()
    assert (sent.created, sent.signal.payload, twins.count()) == (False, "1", 1)


def test_another_signal_under_the_id_is_a_conflict(backend: Any) -> None:
    twins = Twins(backend, one_signal, SignalLimits())
    with pytest.raises(ExecutionConflict):
        twins.send(2)


def test_a_signal_that_nobody_has_sent_is_refused(backend: Any) -> None:
    ended = Twins(backend, one_signal, SignalLimits())
    ended.sent = ("go", 1, "another")
    with pytest.raises(WrongStatus):
        ended.send()
    assert ended.count() == 1


def test_a_signal_of_another_type_that_nobody_has_sent_is_refused(backend: Any) -> None:
    waits = Twins(backend, another_type, SignalLimits())
    waits.sent = ("go", 1, "another")
    with pytest.raises(InvalidRequest):
        waits.send()
    assert waits.count() == 1
