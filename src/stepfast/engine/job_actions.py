"""What a bulk job can do to an execution, as a table (rule *job*). Each action is safe to repeat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from stepfast.engine.cancelling import CLEANUP_SECONDS, Cancelling
from stepfast.engine.child_ids import bulk_fork_id
from stepfast.engine.closing import FailureClosing
from stepfast.engine.erasing import Erasing
from stepfast.engine.forking import Forking, ForkRequest
from stepfast.engine.pausing import Pausing, is_held
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import ReadOperations
from stepfast.engine.resuming import Resuming
from stepfast.errors import ExecutionNotFound, WrongStatus
from stepfast.language.registry import Registry
from stepfast.model import Execution, ExecutionStatus
from stepfast.records import dataclass

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Planned:
    """An execution that a job has chosen, as it was then.

    hand: the mark of its last intervention, so that an attempt that is repeated does not undo what others have done
    since; None in plans of versions that did not record it.
    """

    execution_id: str
    status: str
    generation: int
    created_at: float
    hand: str | None = None


Act = Callable[["JobActions", Planned, Json], Awaitable[str | None]]
"""Acts on a chosen execution; returns what is worth noting about it. WrongStatus: it is skipped."""


@dataclass(frozen=True, slots=True)
class JobAction:
    """An action of jobs.

    act: does it. takes: the statuses that an execution must have for it. makes: those that it has after it, beside
    those of another generation. needs_status: whether a filter must name a status, since the action takes several that
    nobody would mean at once. deletes: whether the execution is gone after it. of_failures: whether it is about
    failures, so that an execution that has failed after the job began is skipped. options: the options that it
    takes. forks: whether it makes another execution, which then shows that it is done.
    """

    act: Act
    takes: tuple[ExecutionStatus, ...]
    makes: tuple[ExecutionStatus, ...] = ()
    needs_status: bool = False
    deletes: bool = False
    of_failures: bool = False
    options: frozenset[str] = frozenset()
    forks: bool = False

    def shown_by(self, planned: Planned, job_id: str) -> str:
        """The id of the execution that shows whether the action is done."""
        return bulk_fork_id(planned.execution_id, planned.created_at, job_id) if self.forks else planned.execution_id

    def is_done(self, planned: Planned, execution: Execution | None) -> bool:
        """Whether the action is done. execution: the one of `shown_by` as it is now; None if it is gone."""
        if self.forks:
            return execution is not None
        if execution is None or execution.created_at != planned.created_at:
            return self.deletes
        return execution.generation > planned.generation or execution.status in self.makes


class JobActions:
    """The operations that jobs use."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        reading = ReadOperations(store, clock, registry)
        self.store = store
        self.resuming = Resuming(store, clock, registry)
        self.cancelling = Cancelling(store, clock, reading)
        self.pausing, self.closing = Pausing(store, clock), FailureClosing(store, clock)
        self.erasing = Erasing(store)
        self.forking = Forking(store, clock, registry)


async def _resume(actions: JobActions, planned: Planned, job: Json) -> str | None:
    plan = await actions.resuming.resume(planned.execution_id, planned.generation, job["options"].get("steps"))
    execution = plan.execution
    if plan.cut is None and execution.generation == planned.generation:
        id, status = execution.execution_id, execution.status
        raise WrongStatus(f"execution {id!r} is {status} by now: only a FAILED one can be resumed", status)
    return plan.notice if plan.cut is not None else None


async def _cancel(actions: JobActions, planned: Planned, job: Json) -> None:
    cleanup = job["options"].get("cleanup_seconds", CLEANUP_SECONDS)
    await _ends(actions, planned, actions.cancelling.cancel(planned.execution_id, why_of(job), cleanup))


async def _terminate(actions: JobActions, planned: Planned, job: Json) -> None:
    await _ends(actions, planned, actions.cancelling.terminate(planned.execution_id, why_of(job)))


async def _ends(actions: JobActions, planned: Planned, ending: Awaitable[Execution]) -> None:
    """Ends an execution. One that is CANCELLED by now was ended by an attempt that has not recorded it, or as well."""
    try:
        await ending
    except WrongStatus as error:
        if error.status != "CANCELLED":
            raise


async def _pause(actions: JobActions, planned: Planned, job: Json) -> None:
    await actions.pausing.pause(planned.execution_id, why_of(job), planned.hand)


async def _unpause(actions: JobActions, planned: Planned, job: Json) -> None:
    await actions.pausing.unpause(planned.execution_id, why_of(job), planned.hand)


async def _release(actions: JobActions, planned: Planned, job: Json) -> None:
    held = await actions.store.read_many([planned.execution_id])
    if not held or not is_held(held[0]) or held[0].created_at != planned.created_at:
        status = held[0].status if held else "PAUSED"
        raise WrongStatus("it is not held with its workflow", status)
    if held[0].workflow in await actions.store.workflow_pauses.all(settled=True):
        raise WrongStatus(f"workflow {held[0].workflow!r} is paused", "PAUSED")
    await actions.pausing.release_held(planned.execution_id, why_of(job))


async def _close(actions: JobActions, planned: Planned, job: Json) -> None:
    await actions.closing.close(planned.execution_id, why_of(job), planned.hand)


async def _reopen(actions: JobActions, planned: Planned, job: Json) -> None:
    await actions.closing.reopen(planned.execution_id, why_of(job), planned.hand)


async def _delete(actions: JobActions, planned: Planned, job: Json) -> None:
    held = await actions.store.read_many([planned.execution_id])
    if held and held[0].created_at != planned.created_at:
        raise WrongStatus("its id is of an execution that was started since", held[0].status)
    try:
        await actions.erasing.delete(planned.execution_id)
    except ExecutionNotFound:
        pass  # an attempt that has not recorded it has deleted the execution


async def _fork(actions: JobActions, planned: Planned, job: Json) -> str:
    held = await actions.store.read_many([planned.execution_id])
    if held and held[0].created_at != planned.created_at:
        raise WrongStatus("its id is of an execution that was started since", held[0].status)
    id = bulk_fork_id(planned.execution_id, planned.created_at, job["id"])
    options = job["options"]
    before, children = options.get("before"), options.get("children", "relink")
    await actions.forking.fork(planned.execution_id, ForkRequest(id, before, children=children, why=why_of(job)))
    return f"forked as {id}"


ENDED: tuple[ExecutionStatus, ...] = ("SUCCEEDED", "FAILED", "CLOSED", "CANCELLED")
ACTIONS: Mapping[str, JobAction] = {
    "resume": JobAction(_resume, ("FAILED",), of_failures=True, options=frozenset({"steps"})),
    "cancel": JobAction(_cancel, ("RUNNING", "PAUSED"), ("CANCELLED",), options=frozenset({"cleanup_seconds"})),
    "terminate": JobAction(_terminate, ("RUNNING", "PAUSED"), ("CANCELLED",)),
    "pause": JobAction(_pause, ("RUNNING",), ("PAUSED",)),
    "unpause": JobAction(_unpause, ("PAUSED",), ("RUNNING",)),
    "release": JobAction(_release, ("PAUSED",), ("RUNNING",)),
    "close": JobAction(_close, ("FAILED",), ("CLOSED",), of_failures=True),
    "reopen": JobAction(_reopen, ("CLOSED",), ("FAILED",)),
    "delete": JobAction(_delete, ENDED, needs_status=True, deletes=True),
    "fork": JobAction(
        _fork, ENDED, of_failures=True, needs_status=True, forks=True, options=frozenset({"before", "children"})
    ),
}
"""The actions by name."""


def why_of(job: Json) -> str:
    """The reason for the history of an execution: that of the job, and its id."""
    why = job.get("why")
    return f"{why} (job {job['id']})" if why else f"job {job['id']}"
