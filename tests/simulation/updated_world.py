"""Operators of a simulated family with an execution that others update at any moment, by ids that come again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from stepfast import UpdateRefused, all_updates_done, child, update, workflow
from stepfast.engine.operations import Operations
from stepfast.errors import Refused
from stepfast.language.registry import Registry
from stepfast.model import Execution
from stepfast.replay.handlers import signal_of
from stepfast.testing.memory import finished
from tests.simulation.families import FAMILIES, MEMBERS, end, first, kid
from tests.simulation.operator_world import OperatorWorld, approving, asking

NUMBERS = (0, 1)
WRONG = 99


@workflow("settling")
async def settling(_: Any) -> Any:
    """Ends once both numbers have come; a child of it fails while there is an outage."""
    taken: list[int] = []
    full = asyncio.Event()

    @update
    async def add(number: int) -> list[int]:
        await first(number)
        taken.append(number)
        if len(taken) == len(NUMBERS):
            full.set()
        return list(taken)

    @add.check
    def fits(number: int) -> None:
        if number == WRONG:
            raise UpdateRefused("that is wrong")

    passed = await child(kid, 1)
    await full.wait()
    await all_updates_done()
    return await end([passed, taken])


class UpdatedWorld(OperatorWorld):
    """told: what senders were told, by execution and update. refused: how many updates were."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.told: dict[tuple[str, float, str], Any] = {}
        self.refused = 0
        super().__init__(workflow, seed)

    def _open(self) -> None:
        super()._open()
        self.registry = Registry([*FAMILIES.values(), *MEMBERS, asking, approving, settling])
        self.machines = [self._machine() for _ in range(2)]

    def _from_outside(self) -> list[Callable[[], object]]:
        choices = super()._from_outside()
        held = self._updated()
        if held and self.random.random() < 0.5:
            choices.append(lambda: self._send_update(self.random.choice(held), self.random.choice((*NUMBERS, WRONG))))
        if held and self.random.random() < 0.5:
            choices.append(lambda: self._ask_update(self.random.choice(held)))
        return choices

    def _updated(self) -> list[Execution]:
        return [each for each in self.members() if each.workflow == "settling"]

    def _send_update(self, member: Execution, number: int) -> None:
        id = member.execution_id
        self.note(f"update {number} of {id}")

        async def work() -> None:
            try:
                state = await self._engine()[2].update(id, "add", number, f"u{number}")
            except UpdateRefused:
                self.refused += 1
                raise
            self._hear(state)

        self._spawn("operator", work())

    def _ask_update(self, member: Execution) -> None:
        async def work() -> None:
            for number in NUMBERS:
                self._hear(await self._engine()[2].update_state(member.execution_id, f"u{number}"))

        self._spawn("operator", work())

    def _hear(self, state: Any) -> None:
        if state.status == "pending":
            return
        shown = state.shown()
        answer = (shown["status"], shown["result"], shown["error"])
        key = (state.execution.execution_id, state.execution.created_at, state.update_id)
        if self.told.setdefault(key, answer) != answer:
            self.watch.violated("an-update-is-answered-once", f"{key}: first {self.told[key]}, and then {answer}")

    def verdict(self) -> None:
        super().verdict()
        for member in self._updated():
            id = member.execution_id
            if any(each.signal_id == signal_of(f"u{WRONG}") for each in self._signals_of(id)):
                self.watch.violated("a-refused-update-leaves-nothing", id)
            for number in NUMBERS:
                try:
                    self._hear(finished(self._plain().update_state(id, f"u{number}")))
                except Refused:
                    continue

    def _plain(self) -> Any:
        """Operations on the backend itself, which never dies."""
        return Operations(self.backend, self.clock, self.registry, self._engine()[0])

    def _idle(self) -> Callable[[], object] | None:
        if not self.queue:
            for member in self._updated():
                sent = {each.signal_id for each in self._signals_of(member.execution_id)}
                missing = [number for number in NUMBERS if signal_of(f"u{number}") not in sent]
                if missing and member.status == "RUNNING":
                    return lambda member=member, missing=missing: self._send_update(member, missing[0])  # type: ignore[misc]
        return super()._idle()
