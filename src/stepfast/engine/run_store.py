"""The port of runs: executions that continue as new, and what is kept of their earlier runs (rule *runs*)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Protocol

from stepfast.engine.metrics import Tallies
from stepfast.model import Event, Execution, Snapshot
from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class NextRun:
    """What a run hands over to the next (rule *runs*).

    execution: as it is in the new run: RUNNING in a new generation. ended: as the earlier run has ended, `continued`.
    taken: the ids of the signals that the earlier run's code has seen; all others go along. counts: what the earlier
    run adds to the figures.
    """

    execution: Execution
    ended: Execution
    taken: Sequence[str] = ()
    counts: Tallies = field(default_factory=dict)


class RunStore(Protocol):
    """The runs of executions that continue as new. Part of the Store."""

    async def continue_as_new(self, turn: NextRun) -> bool:
        """Begins the next run, with wake, if the stored execution is RUNNING in the generation of `turn.ended`.

        The one write that decides also archives the earlier run. After it nobody finds the records, the order and the
        taken signals of the earlier run among those of the execution, and a write of the earlier run changes none of
        them. A signal that is added at the same time is in the new run, or is among those that go along.
        """

    async def runs(self, execution_id: str, limit: int, before: int | None = None) -> Sequence[Execution]:
        """At most `limit` earlier runs that are still kept, the latest first. before: only runs of a lower number."""

    async def load_run(self, execution_id: str, run: int) -> Snapshot | None:
        """An earlier run with its records and the signals that it took; None where it is not kept."""

    async def run_history(self, execution_id: str, run: int) -> list[Event]:
        """Events of an earlier run kept by `rewind`, in the order written."""
