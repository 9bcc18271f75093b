"""Seeded lives of the embedded home's webhooks: changes, receivers that fail, a process that dies anywhere, and time.

Invariants (rule *event*), checked after each process and at the end:

1. Every change that was committed is taken, pending or a dead letter at every webhook that wants it.
2. A webhook gets no event that it does not want, and none of a change that was not committed.
3. Of one execution, a webhook takes no event for the first time before it has taken the earlier ones, unless those
   are dead letters.
4. Once receivers and process stay up, everything is taken or a dead letter.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.ports import End
from stepfast.engine.status_changes import StatusChange
from stepfast.engine.webhook_deliverer import Deliverer, PostAnswer, PostFailed
from stepfast.engine.webhooks import Webhook
from stepfast.model import Execution, Failure, OrderEntry
from stepfast.standing import Intervention
from stepfast.testing.memory import MemoryFile
from stepfast.webhook_signing import event_id_in
from tests.contract.clock import FixedClock

HOOKS = (
    Webhook("all", "https://example.com/all", (b"k" * 24,)),
    Webhook("ends", "https://example.com/ends", (b"o" * 24,), ("order",), ("SUCCEEDED", "FAILED")),
)
LIFE = 40


class Died(BaseException):
    """The process dies."""


class WebhookWorld:
    def __init__(self, seed: int) -> None:
        self.draw, self.clock, self.file = random.Random(seed), FixedClock(), MemoryFile()
        self.write = self.file.write
        self.executions: dict[str, Execution] = {}
        self.committed: list[StatusChange] = []
        self.taken: dict[str, list[str]] = {hook.name: [] for hook in HOOKS}
        self.broken: list[str] = []
        self.calm = False
        self._open()

    def _open(self) -> None:
        self.store = SqliteBackend(self.file, self.clock)  # type: ignore[arg-type]
        self.store.webhooks.watch()
        self.deliverer = Deliverer(self.store.webhooks, self.clock, HOOKS, self._receive, self.draw.random)

    def live(self) -> None:
        """A life with trouble, and then a calm end. Raises AssertionError for a broken invariant."""
        self.file.write = self._mortal_write  # type: ignore[method-assign]
        for _ in range(LIFE):
            try:
                asyncio.run(self._act())
            except Died:
                self._open()
                self._check()
            self.clock.time += self.draw.choice((0.5, 3.0, 60.0, 4000.0))
        self.calm = True
        for _ in range(30):
            asyncio.run(self.deliverer.lap())
            self.clock.time += 90000.0
        self._check()
        assert not [name for name in self.taken if self._stored(name, False)], "something waits for ever"

    # -- what happens ----------------------------------------------------------------------------------------

    async def _act(self) -> None:
        if self.draw.random() < 0.5:
            await self.deliverer.lap()
        else:
            await self._change()

    async def _change(self) -> None:
        """One change of an execution, noted as committed if the execution stands so afterwards, whoever died."""
        now = self.clock.now()
        id = f"e{self.draw.randrange(4)}"
        before = self.executions.get(id)
        if before is None:
            after = Execution(id, self.draw.choice(("order", "mail")), "1", now)
            work: Coroutine[Any, Any, Any] = self.store.create(after)
        elif before.status == "RUNNING" and self.draw.random() < 0.3:
            after = replace(before, status="PAUSED", intervention=Intervention("pause", now))
            work = self.store.intervene(StatusTurn(before, after))
        elif before.status == "RUNNING":
            failed = self.draw.random() < 0.5
            after = replace(before, status="FAILED" if failed else "SUCCEEDED", ended_at=now)
            after = replace(after, error=Failure("E", "x", "pay"), causes=("pay",)) if failed else after
            work = self.store.finish(End(after))
        elif before.status == "PAUSED":
            after = replace(before, status="RUNNING", intervention=Intervention("unpause", now))
            work = self.store.intervene(StatusTurn(before, after))
        elif before.status == "FAILED":
            generation = before.generation + 1
            after = replace(before, status="RUNNING", generation=generation, resumed_at=now, error=None, causes=())
            after = replace(after, ended_at=None)
            work = self.store.rewind(after, OrderEntry(before.generation, generation, cut=0), [], [])
        else:
            return
        try:
            await work
        finally:
            self._note(before, after)

    def _note(self, before: Execution | None, after: Execution) -> None:
        row = self.file.row("SELECT status, generation FROM executions WHERE execution_id = ?", (after.execution_id,))
        stood = None if before is None else (before.status, before.generation)
        if row is None or tuple(row) == stood:
            return
        self.executions[after.execution_id] = after
        previous = None if before is None else before.status
        at = self.clock.now()
        failure = ("E", "pay") if after.status == "FAILED" else (None, None)
        change = StatusChange(
            after.execution_id, after.workflow, 1, after.generation, previous, after.status, at, {}, None, *failure
        )
        self.committed.append(change)

    async def _mortal_write(self, run: Callable[[Any], Any]) -> Any:
        fate = 1.0 if self.calm else self.draw.random()
        if fate < 0.04:
            raise Died
        written = await self.write(run)
        if fate < 0.08:
            raise Died
        return written

    async def _receive(self, webhook: Webhook, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        event_id = event_id_in("standard", webhook.keys, headers, body, self.clock.now(), 300)
        assert event_id is not None
        await asyncio.sleep(0)
        fate = 1.0 if self.calm else self.draw.random()
        if fate < 0.05:
            raise Died
        if fate < 0.2:
            return PostAnswer(500)
        if fate < 0.23:
            return PostAnswer(410)
        if fate < 0.3:
            raise PostFailed("no answer")
        self._take(webhook, event_id)
        if fate < 0.4:
            raise PostFailed("the answer was lost")
        if fate < 0.45:
            raise Died
        return PostAnswer(204)

    # -- what must hold --------------------------------------------------------------------------------------

    def _take(self, webhook: Webhook, event_id: str) -> None:
        changes = {change.id: change for change in self.committed}
        change = changes.get(event_id)
        if change is None or not webhook.wants(change):
            self.broken.append(f"{webhook.name} got {event_id}, which it does not want")
        elif event_id not in self.taken[webhook.name]:
            earlier = self.committed[: self.committed.index(change)]
            dead = self._stored(webhook.name, True)
            for one in earlier:
                known = one.id in self.taken[webhook.name] or one.id in dead
                if one.execution_id == change.execution_id and webhook.wants(one) and not known:
                    self.broken.append(f"{webhook.name} got {change.type} before {one.type}")
        self.taken[webhook.name].append(event_id)

    def _stored(self, name: str, dead: bool) -> set[str]:
        sql = f"SELECT event_id FROM webhook_deliveries WHERE webhook = ? AND due IS {'' if dead else 'NOT '}NULL"
        return {row[0] for row in self.file.all_rows(sql, (name,))}

    def _check(self) -> None:
        recorded = self.file.row("SELECT count(*) FROM status_changes", ())
        waiting = [] if not recorded or not recorded[0] else self.committed[-recorded[0] :]
        for hook in HOOKS:
            known = {*self.taken[hook.name], *self._stored(hook.name, True), *self._stored(hook.name, False)}
            for change in self.committed:
                if hook.wants(change) and change.id not in known and change not in waiting:
                    self.broken.append(f"{change.type} of {change.execution_id} is lost for {hook.name}")
        assert not self.broken, self.broken
