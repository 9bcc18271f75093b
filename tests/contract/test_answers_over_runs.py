"""The answer of an update is found in whichever run has taken it, though the next run begins while it is looked for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.advancer import Advancer
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Commit
from stepfast.language.registry import Registry
from stepfast.model import Record, Signal, run_id_of
from stepfast.replay.handlers import SIGNAL, command_of, signal_of
from tests.contract.test_runs_contract import after
from tests.contract.test_store_contract import ONE

SENT = Signal(signal_of("u"), SIGNAL, json.dumps({"id": "u", "name": "change", "payload": 1}), 1.0)
ANSWER = Record(command_of("u"), "update", "change", "SUCCEEDED", 0, output="7", signal=SENT.signal_id, ended_at=2.0)
SECOND = after(ONE).execution


class TurnsBefore:
    """A store in which the next run begins right before a read, with or without an update that was not taken yet."""

    def __init__(self, store: Any, read: str, taken: bool) -> None:
        self._store, self._read, self._taken = store, read, taken

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name != self._read:
            return method

        async def call(*arguments: Any) -> Any:
            self._read = ""
            assert await self._store.continue_as_new(after(ONE, '"next"', *[SENT.signal_id] * self._taken))
            if not self._taken:
                answer = Commit(replace(ANSWER, generation=SECOND.generation), wake=False)
                assert await self._store.commit(run_id_of("one", 2), answer)
            return await method(*arguments)

        return call


@pytest.mark.parametrize("read", ["read", "peek"])
@pytest.mark.parametrize("taken", [True, False], ids=["taken before", "gone along"])
def test_it_is_found(backend: Any, read: str, taken: bool) -> None:
    store = backend.store
    backend.run(store.create(ONE))
    backend.run(store.add_signal("one", SENT))
    if taken:
        assert backend.run(store.commit("one", Commit(ANSWER, wake=False)))
    turning: Any = TurnsBefore(store, read, taken)
    advancer = Advancer(store, backend.queue, backend.clock, Registry([]))
    state = backend.run(Operations(turning, backend.clock, Registry([]), advancer).update_state("one", "u"))
    assert (state.status, state.record and state.record.output) == ("succeeded", "7")
