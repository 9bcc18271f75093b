"""The port of what operators do to executions by hand: one write turns the status (rules *pause*, *close*)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stepfast.model import Event, Execution, OrderEntry
from stepfast.records import dataclass
from stepfast.unguarded import unguarded


@unguarded
@dataclass(frozen=True, slots=True)
class StatusTurn:
    """One change of an execution by hand, all of it or nothing.

    before: the execution as it was read; its status and its generation must still stand. after: as it is then. entry:
    of the order's log, written if none of its number is there. events: for the history. wake: an advance follows,
    whatever dies in between. untouched: the last intervention of `before` must still stand, too.
    """

    before: Execution
    after: Execution
    entry: OrderEntry | None = None
    events: Sequence[Event] = ()
    wake: bool = False
    untouched: bool = False


class InterventionStore(Protocol):
    """Part of the Store."""

    async def intervene(self, turn: StatusTurn) -> bool:
        """Writes the turn; False if the execution, or the order, has changed since they were read.

        A store that keeps dead letters itself drops those of an execution that becomes CLOSED.
        """
