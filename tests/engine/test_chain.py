"""The end that a chain has led to is written, whatever becomes of the answer to its last record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from stepfast import workflow
from stepfast.engine.messages import Message
from stepfast.engine.ports import Commit, Committed, Delete, Delivery
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import Runner
from stepfast.errors import Unavailable
from tests.engine.steps import call, one_call
from tests.engine.test_opening import Home


class Patient:
    """A clock by which no time passes, and a wait is over at once."""

    def now(self) -> float:
        return 1_700_000_000.0

    async def sleep(self, seconds: float) -> None:
        pass


class TwoWrites:
    """A store that writes an end apart from its record, and is away in between, as DynamoDB may be."""

    def __init__(self, store: Any) -> None:
        self._store, self.away = store, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, execution_id: str, commit: Commit) -> Committed:
        if commit.end is not None and self.away:
            self.away = False
            assert await self._store.commit(execution_id, replace(commit, end=None))
            raise Unavailable("the store is away")
        committed: Committed = await self._store.commit(execution_id, commit)
        return committed


def test_an_end_is_written_though_its_record_got_no_answer() -> None:
    home = Home(one_call)
    store: Any = TwoWrites(home.store)
    handler = StepHandler(store, home.store, Patient(), home.registry, Runner(), lives=home.lives)

    async def run() -> None:
        assert await handler.handle(Delivery(Message("step", "e1", "call", 0), Patient().now())) == Delete()
        assert not store.away
        execution = await home.store.read("e1")
        assert (execution.status, execution.result) == ("SUCCEEDED", "1")

    asyncio.run(run())


@workflow
async def chained_calls_and_siblings() -> list[int]:
    first = await call(await call(0))
    return list(await asyncio.gather(call(first), call(first)))


def test_a_kept_replay_holds_the_very_records_that_its_chain_has_stored() -> None:
    home = Home(chained_calls_and_siblings)
    store: Any = home.store
    handler = StepHandler(store, store, Patient(), home.registry, Runner(), lives=home.lives)

    async def run() -> None:
        assert await handler.handle(Delivery(Message("step", "e1", "call", 0), Patient().now())) == Delete()
        live, stored = home.lives.take("e1"), (await store.load("e1")).records
        assert live is not None
        assert live.replay.records == stored
        assert [record.then is not None for record in stored.values()] == [True, False]
        live.close()

    asyncio.run(run())
