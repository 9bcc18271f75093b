"""How often a watch looks at the execution of a running attempt, where each read of the store is paid for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Protocol

from stepfast.engine.ports import Clock
from stepfast.engine.step_runner import WATCH
from stepfast.model import Execution
from stepfast.records import dataclass

SHARED_SECONDS = 0.5
"""Age until which the answer of a glance counts for the attempts beside the one that made it."""


class Glances(Protocol):
    """An optional port, for a store where each read is paid for. An answer may be a moment old."""

    async def glance(self, run_id: str, order: int) -> bool:
        """Whether the order's log has an entry of this number."""

    async def differs(self, execution: Execution) -> bool:
        """Whether the stored execution has another status, run or generation than this one, or is gone."""


@dataclass(frozen=True, slots=True)
class LookPace:
    """How often a watch looks at an execution.

    apart: seconds between two looks; 0 looks each time that the runner asks, and reads all. glances: what most looks
    are made with.
    """

    apart: float = 0.0
    glances: Glances | None = None

    @property
    def pause(self) -> float:
        """Seconds from a look until the next is due. The runner asks once a second: a look comes a little later."""
        return self.apart - WATCH / 2 if self.apart > WATCH / 2 else 0.0


EVERY_TIME = LookPace()
"""For a store whose reads cost nothing: all is read each time that the runner asks."""


class SharedGlances:
    """The glances of one process: attempts of one execution that run side by side share them.

    The messages of one batch begin together, so their looks come together as well.
    """

    def __init__(self, glances: Glances, clock: Clock) -> None:
        self._glances, self._clock = glances, clock
        self._answers: dict[Hashable, tuple[float, bool]] = {}

    async def glance(self, run_id: str, order: int) -> bool:
        """As of port Glances."""
        return await self._shared((run_id, order), lambda: self._glances.glance(run_id, order))

    async def differs(self, execution: Execution) -> bool:
        """As of port Glances."""
        key = (execution.run_id, execution.generation, execution.status)
        return await self._shared(key, lambda: self._glances.differs(execution))

    async def _shared(self, key: Hashable, read: Callable[[], Awaitable[bool]]) -> bool:
        now = self._clock.now()
        self._answers = {each: held for each, held in self._answers.items() if now - held[0] < SHARED_SECONDS}
        if key not in self._answers:
            # The age is that of the question: what is written while the store answers may not be in the answer.
            self._answers[key] = (now, await read())
        return self._answers[key][1]
