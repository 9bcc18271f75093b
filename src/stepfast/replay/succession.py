"""How many steps have just followed from each other in a pool: what a worker had better do with the next."""

from __future__ import annotations

from stepfast.replay.commands import Command


class Succession:
    """The last steps that were alone and followed from each other, all in the same pool."""

    def __init__(self) -> None:
        self._pool: str | None = None
        self._length = 0

    def add(self, command: Command, alone: bool) -> None:
        """Counts a command whose outcome was applied. alone: no other command was outstanding."""
        pool = command.step.pool if command.step is not None and alone else None
        self._length = self._length + 1 if pool is not None and pool == self._pool else 1
        self._pool = pool

    def chains(self, command: Command, records: int, records_for_a_hop: int) -> bool:
        """Whether a worker that has run this step had better replay, and go on with the steps that follow from it.

        It had, if as many steps of its pool have just followed from each other as pay for the replay. At worst this
        costs twice what the better choice would have cost.
        records: of the execution. records_for_a_hop: how many are replayed for the price of a step that is not chained.
        """
        same = command.step is not None and command.step.pool == self._pool
        return records < records_for_a_hop * (1 + self._length * same)
