"""The port of starts: who holds a key, the line beside it, and what was turned away (rule *turn*)."""

from __future__ import annotations

from typing import Protocol

from stepfast.engine.start_items import Hold, LinePlace, StartKey, TurnedAway
from stepfast.model import Execution
from stepfast.standing import StartInfo


class StartStore(Protocol):
    """Keys, lines and answers of starts. Every method may raise Unavailable and Misconfigured, as those of the Store.

    A key that nobody holds takes no room.
    """

    async def hold(self, id: StartKey) -> Hold:
        """Who holds a key, as it stands."""

    async def pass_on(self, hold: Hold, heir: str) -> bool:
        """Gives a key to another execution, "" for nobody, if the stored item has the version of `hold`."""

    async def first(self, id: StartKey) -> LinePlace | None:
        """The first entry of the line."""

    async def leave(self, id: StartKey, place: LinePlace) -> None:
        """Takes an entry out of the line, if it is there."""

    async def turned_away(self, execution_id: str) -> TurnedAway | None:
        """The start of this id that has created nothing; None for an id without such a start."""

    async def turn_away(self, turned: TurnedAway, hold: Hold) -> bool:
        """Records a start that creates nothing.

        False, and nothing is written, unless no execution and no such start has the id, and the stored item still has
        the version of `hold`.
        """


class TurnStore(Protocol):
    """The writes of executions that take turns. Part of the Store."""

    @property
    def starts(self) -> StartStore:
        """Keys, lines and answers."""

    async def create_in_turn(self, execution: Execution, hold: Hold | None) -> Execution | None:
        """As `create`, for an execution with a key, together with its place: all of it or nothing.

        hold: of its key, which it takes if the stored item still has this version. Without, it is put into the line.
        None, and nothing is written, where the item has changed, or a start of this id was turned away before.
        """

    async def fold(self, execution: Execution, start: StartInfo, input: str, turned: TurnedAway | None) -> bool:
        """Gives a waiting execution another input, under the condition of `begin`, and records the start it came with.

        turned: as of `StartStore.turn_away`, whose conditions hold but for that on the item; None for a start that is
        never asked again. All of it or nothing.
        """

    async def begin(self, execution: Execution, start: StartInfo) -> bool:
        """Writes how the start of an execution stands, if it is as it was read and the execution RUNNING.

        With wake, if the execution waits no more by it.
        """
