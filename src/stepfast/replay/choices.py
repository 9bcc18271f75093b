"""Which outcome comes next where the durable order does not say: the earliest, timers by when they were due.

It also knows which commands wait for signals, so that nobody looks through all that are outstanding.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from stepfast.model import Record
from stepfast.replay.commands import Command


class Choices:
    """Outstanding commands that have an outcome, timers by when they are due, and waits for signals."""

    def __init__(self) -> None:
        self._recorded: list[tuple[float, str]] = []  # heap of outstanding commands with an outcome
        self._dues: list[tuple[float, str]] = []  # heap of timers
        self._waits: dict[str, Command] = {}

    def add_wait(self, command: Command) -> None:
        self._waits[command.id] = command

    def waits(self, outstanding: Mapping[str, Command]) -> list[Command]:
        """The waits for signals among the outstanding commands, in the order in which they were issued."""
        self._waits = {id: wait for id, wait in self._waits.items() if id in outstanding}
        return list(self._waits.values())

    def add_timer(self, due: float, command_id: str) -> None:
        heapq.heappush(self._dues, (due, command_id))

    def add_outcome(self, command: Command, record: Record) -> None:
        ended = record.ended_at or 0.0
        heapq.heappush(self._recorded, (min(ended, command.due) if command.due is not None else ended, command.id))

    def clear_outcomes(self) -> None:
        """No command is outstanding: what is known of outcomes is of commands that have been applied."""
        self._recorded.clear()

    def choose(self, outstanding: Mapping[str, Command], records: Mapping[str, Record]) -> str | None:
        """The earliest outcome of an outstanding command; None while no such outcome is recorded."""
        held, chosen = [], None
        while self._recorded and chosen is None:
            outcome = heapq.heappop(self._recorded)
            if outcome[1] not in outstanding:
                continue
            if self._is_early(outstanding[outcome[1]], outstanding, records):
                held.append(outcome)
            else:
                chosen = outcome[1]
        for outcome in held:
            heapq.heappush(self._recorded, outcome)
        return chosen

    def _is_early(self, command: Command, outstanding: Mapping[str, Command], records: Mapping[str, Record]) -> bool:
        """True for a timer while another one that was due before it has no outcome yet."""
        if command.kind != "timer":
            return False
        dues = self._dues
        while dues and (dues[0][1] not in outstanding or has_outcome(dues[0][1], records)):
            heapq.heappop(dues)
        return bool(dues) and dues[0][0] < (command.due or 0.0)


def has_outcome(id: str, records: Mapping[str, Record]) -> bool:
    return id in records and records[id].recorded
