"""The order of an execution: what the entries of its log come to (rule *order as a log*)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stepfast.model import Cursor, OrderEntry
from stepfast.replay.patches import marks_in


class Order:
    """The durable order, which grows with its log; it belongs to one thread at a time.

    applied, dispatched, generation, revision: as of Cursor.
    """

    def __init__(self, cursor: Cursor | None = None) -> None:
        cursor = cursor or Cursor()
        self.applied, self.dispatched = list(cursor.applied), set(cursor.dispatched)
        self.generation, self.revision = cursor.generation, cursor.revision

    def extend(self, entry: OrderEntry) -> None:
        """Takes in the next entry of the log."""
        if entry.cut is not None:
            self.applied[entry.cut :] = marks_in(self.applied[entry.cut :])  # answers of `patched` hold for the run
            self.dispatched.clear()
        elif entry.generation != self.generation:
            self.dispatched.clear()
        self.applied += entry.applied
        self.dispatched.difference_update(entry.applied, entry.withdrawn)
        self.dispatched.update(entry.dispatched)
        self.generation, self.revision = entry.generation, entry.number + 1

    def sent(self, generation: int) -> set[str]:
        """The commands that are marked as sent in this generation."""
        return self.dispatched if self.generation == generation else set()


def cursor_of(entries: Iterable[OrderEntry]) -> Cursor:
    """What the entries come to, which are all of a log."""
    order = Order()
    for entry in entries:
        order.extend(entry)
    return Cursor(tuple(order.applied), frozenset(order.dispatched), order.generation, order.revision)


def asked_for(entries: Sequence[OrderEntry], command_id: str, generation: int, known: bool) -> bool:
    """Whether the order still asks for a command, by the entries that follow those under which this was known.

    A command that the order does not ask for may have been taken back, may have its outcome, or may be the only command
    outstanding: then it is in no entry.
    """
    for entry in reversed(entries):
        if entry.generation != generation or command_id in entry.withdrawn or command_id in entry.applied:
            return False
        if command_id in entry.dispatched:
            return True
        if entry.cut is not None:
            return False
    return known
