"""What the embedded runtime needs of its backend beside the ports: work that is handed over in memory.

`local/` calls these methods and no others. A third embedded backend offers them, and Store, Queue and Deltas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from stepfast.engine.deltas import Deltas
from stepfast.engine.ports import Delivery, Queue, Store
from stepfast.engine.webhooks import WebhookStore
from stepfast.records import dataclass
from stepfast.unguarded import unguarded


@unguarded
@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the backend keeps it: its number there, when it is due, and the delivery it makes."""

    seq: int
    due: float
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Overdue:
    """A command of a RUNNING execution, and the moment by which it should have gone on."""

    execution_id: str
    command_id: str
    status: str
    due: float


class EmbeddedBackend(Store, Queue, Deltas, Protocol):
    """A store and queue in this process. Numbers of messages and of wakes grow, also from one process to the next.

    on_message: called for each message once it is written, from any thread. on_wake: called for each wake after its
    write is durable, with the execution's id and the wake's number. on_dropped: called for each message that a new run
    of its execution has made useless, with its number, after its deletion is durable. on_erased: called with the
    encrypted executions that were deleted, each with the fingerprint that names its data key, after the deletion is
    durable. None of them may raise or wait. The runtime sets all of them before it calls anything else. Times are
    seconds since the epoch, UTC.
    """

    webhooks: WebhookStore
    on_message: Callable[[Stored], None]
    on_wake: Callable[[str, int], None]
    on_dropped: Callable[[int], None]
    on_erased: Callable[[Sequence[tuple[str, str]]], None]

    # -- what is to be done --------------------------------------------------------------------------------

    def outstanding(self) -> tuple[list[Stored], list[tuple[str, int]]]:
        """What an earlier process left to do: its messages, and its executions to advance, each with its last wake."""

    def advanced(self, execution_id: str, seq: int) -> None:
        """Drops the wakes of an execution up to this number; if that write is lost, an advance more is made."""

    def delete(self, seq: int) -> None:
        """Drops a message whose disposition is Delete; if that write is lost, the message is handled once more."""

    def refuse(self, seq: int) -> None:
        """Makes a park message the dead letter of its execution; `rewind` drops it."""

    # -- for the sweep -------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Writes what `advanced` and `delete` have left to the next commit."""

    def wakes(self) -> dict[str, int]:
        """The executions that are to be advanced, each with the number of its last wake."""

    def messages_due_before(self, time: float, after: int, limit: int) -> list[Stored]:
        """At most `limit` messages that were first due before a time, by number, from the one after `after` on."""

    def commands_due_before(self, execution_id: str, time: float) -> list[Overdue]:
        """The commands of an execution whose next try was due, or whose lease ended, before a time."""

    # -- retention, and the end ----------------------------------------------------------------------------

    async def expire(self, before: float) -> int:
        """Deletes some of the executions that ended for good before a time, and says how many; 0 once there are none.

        FAILED executions are kept. One call holds up other writes no longer than a commit does.
        """

    def close(self) -> None:
        """Makes durable what was written, and lets another process open the same data."""
