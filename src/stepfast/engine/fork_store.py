"""The port of forks: an execution that begins with records of another (rule *fork*)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stepfast.model import Execution, Record, Signal
from stepfast.records import dataclass
from stepfast.unguarded import unguarded


@unguarded
@dataclass(frozen=True, slots=True)
class ForkCopy:
    """A new execution with what it takes over from another.

    execution: as it is to stand; RUNNING, or a child that has ended. records: in revision 1 and its generation, with
    their outcomes. applied: the order of their outcomes, as of Cursor. signals: those that the records have taken.
    """

    execution: Execution
    records: Sequence[Record] = ()
    applied: tuple[str, ...] = ()
    signals: Sequence[Signal] = ()


class ForkStore(Protocol):
    """Part of the Store."""

    async def fork(self, fork: ForkCopy, children: Sequence[ForkCopy] = ()) -> Execution:
        """Puts a fork with all that it takes over, with wake, if its id is free, and copies of children below it.

        Returns and raises as `create`; ExecutionDeleted for the id of a child, too, and ExecutionConflict where another
        execution has it. All of it or nothing. Only children and signals that do not fit into one transaction of the
        store follow after it: a crash leaves them out, and the same call puts what is missing. Of another
        execution nothing is written, and the fork has copies of its values.
        """
