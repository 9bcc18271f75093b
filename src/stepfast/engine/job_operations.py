"""Starts bulk jobs, stops them, and tells how they stand (rule *job*). A job is an execution of a built-in workflow."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from stepfast.engine import caller
from stepfast.engine.arguments import check_id
from stepfast.engine.job_actions import ACTIONS
from stepfast.engine.ports import Clock, Query, Store
from stepfast.engine.queries import ReadOperations
from stepfast.engine.starting import create_above, new_id
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest
from stepfast.language import job_steps
from stepfast.language.job_workflow import JOB_WORKFLOW, STOP
from stepfast.model import Execution, Record, Signal, Snapshot
from stepfast.records import dataclass
from stepfast.stored_text import text_of

Json = dict[str, Any]
DEFAULT_JOB_RATE = 50.0
MAX_JOB_RATE = 1000.0
MAX_JOB_IDS = 100_000
_PLACE = re.compile(r"(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a job is asked to do: an action on the executions of a list, or on those that a filter takes.

    rate: executions per second at most. options: of the action. why: for the history.
    """

    action: str
    ids: Sequence[str] | None = None
    filter: Mapping[str, Any] | None = None
    rate: float = DEFAULT_JOB_RATE
    why: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands.

    execution: the job as an execution. job: what was asked for. done, skipped, failed: how many executions it has acted
    on, skipped, and could not act on. stop: who has stopped it, when and why; None where nobody has.
    """

    execution: Execution
    job: Json
    done: int
    skipped: int
    failed: int
    stop: Json | None

    @property
    def status(self) -> str:
        """RUNNING, STOPPING, STOPPED, SUCCEEDED, or the status of its execution where operators have changed that."""
        ends = {"RUNNING": "STOPPING", "SUCCEEDED": "STOPPED"} if self.stop is not None else {}
        return ends.get(self.execution.status, self.execution.status)


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What has come of one execution: "done", "skipped" or "failed", and what there is to say about it."""

    execution_id: str
    outcome: str
    reason: str | None = None


class JobOperations:
    """The operations that are about jobs."""

    def __init__(self, store: Store, clock: Clock, reading: ReadOperations) -> None:
        self._store, self._clock, self._reading = store, clock, reading

    async def start(self, request: JobRequest, job_id: str | None = None) -> tuple[JobState, bool]:
        """Starts a job once for each id; returns it, and whether this call has started it.

        Raises InvalidRequest, and ExecutionConflict where the id belongs to another job or to an execution.
        """
        _check(request)
        if job_id is not None:
            check_id(job_id, "job_id", "a job id")
        now = self._clock.now()
        id, ids = job_id or new_id(now), None if request.ids is None else list(dict.fromkeys(request.ids))
        spec = {
            "action": request.action,
            "filter": None if request.filter is None else dict(request.filter),
            "rate": request.rate,
            "why": request.why,
            "options": dict(request.options),
        }
        sent = hashlib.sha256(json.dumps([spec, ids], sort_keys=True).encode()).hexdigest()
        job = {"id": id, **spec, "by": caller.who(), "count": None if ids is None else len(ids)}
        execution = Execution(
            execution_id=id,
            workflow=JOB_WORKFLOW,
            input=json.dumps({"job": job, "ids": ids}),
            created_at=now,
            sent=sent,
            traceparent=caller.traceparent(),
        )
        execution, held = await create_above(self._store, execution)
        if held is not execution and (held.workflow, held.sent) != (JOB_WORKFLOW, sent):
            holder = "another job" if held.workflow == JOB_WORKFLOW else f"an execution of workflow {held.workflow!r}"
            raise ExecutionConflict(f"the id {id!r} is of {holder}: use another id for this job")
        return await self._state(held), held is execution

    async def read(self, job_id: str) -> JobState:
        """How the job stands; ExecutionNotFound."""
        return await self._state(await self._existing(job_id))

    async def page(self, limit: int, cursor: str | None = None) -> tuple[list[JobState], str | None]:
        """A page of the jobs, newest first, and the cursor of the next."""
        page = await self._store.page(Query(jobs=True, limit=limit, cursor=cursor))
        return [await self._state(execution) for execution in page.executions], page.next

    async def stop(self, job_id: str, why: str | None = None) -> JobState:
        """Has the job stop within seconds; what it has done stays done. Safe to repeat. Raises ExecutionNotFound.

        A job that has ended stays as it is.
        """
        execution = await self._existing(job_id)
        if execution.status in ("RUNNING", "PAUSED", "FAILED"):
            payload = json.dumps({"by": caller.who(), "why": why})
            await self._store.add_signal(job_id, Signal(STOP, STOP, payload, self._clock.now()))
        return await self.read(job_id)

    async def report(self, job_id: str, limit: int, cursor: str | None = None) -> tuple[list[JobOutcome], str | None]:
        """What has come of each execution, in the order in which the job has seen to them, and the next cursor.

        The cursor is None once the job has ended and all was reported. While it runs, a page may be empty.
        Raises ExecutionNotFound, and InvalidRequest for a cursor that no page has given.
        """
        match = _PLACE.fullmatch(cursor or "1.0")
        if match is None:
            raise InvalidRequest("cursor: send the `next` of an earlier page", (("cursor", "is not of a report"),))
        run, place = int(match[1]), int(match[2])
        execution = await self._existing(job_id)
        snapshot = await self._run(job_id, run)
        outcomes = list(_outcomes(snapshot.records)) if snapshot is not None else []
        shown = outcomes[place : place + limit]
        place += len(shown)
        if place < len(outcomes):
            return shown, f"{run}.{place}"
        if run < execution.run:
            return shown, f"{run + 1}.0"
        ended = execution.status not in ("RUNNING", "PAUSED")
        return shown, None if ended else f"{run}.{place}"

    async def _existing(self, job_id: str) -> Execution:
        execution = await self._store.read(job_id)
        if execution is None or execution.workflow != JOB_WORKFLOW:
            raise ExecutionNotFound(f"no job has the id {job_id!r}")
        return execution

    async def _run(self, job_id: str, run: int) -> Snapshot | None:
        earlier = await self._store.load_run(job_id, run)
        if earlier is not None:
            return earlier
        snapshot = await self._store.load(job_id)
        return snapshot if snapshot is not None and snapshot.execution.run == run else None

    async def _state(self, execution: Execution) -> JobState:
        if execution.status == "SUCCEEDED":
            totals = json.loads(text_of(execution.result) or "{}")
            job = json.loads(text_of(execution.input) or "{}")["job"]
            return JobState(execution, job, totals["done"], totals["skipped"], totals["failed"], totals["stop"])
        snapshot = await self._store.load(execution.execution_id, signals=False)
        records = snapshot.records if snapshot is not None else {}
        execution = snapshot.execution if snapshot is not None else execution
        input = json.loads(text_of(execution.input) or "{}")
        counts = {"done": 0, "skipped": 0, "failed": 0}
        for outcome in _outcomes(records):
            counts[outcome.outcome] += 1
        signal = await self._store.signal(execution.execution_id, STOP)
        stop = None if signal is None else {**json.loads(signal.payload), "at": signal.received_at}
        return JobState(
            execution,
            input["job"],
            input.get("done", 0) + counts["done"],
            input.get("skipped", 0) + counts["skipped"],
            input.get("failed", 0) + counts["failed"],
            stop,
        )


def _outcomes(records: Mapping[str, Record]) -> Iterator[JobOutcome]:
    """The outcomes that the steps of a run have recorded. The steps of one plan come before the next plan."""
    plans, acts = _results(records, job_steps.job_plan.name), iter(_results(records, job_steps.job_act.name))
    for plan in plans:
        for id, reason in plan["skipped"]:
            yield JobOutcome(id, "skipped", reason)
        entries, place = plan["entries"], 0
        while place < len(entries) and (acted := next(acts, None)) is not None:
            said = {id: JobOutcome(id, "skipped", reason) for id, reason in acted["skipped"]}
            said |= {id: JobOutcome(id, "failed", reason) for id, reason in acted["failed"]}
            said |= {id: JobOutcome(id, "done", note) for id, note in acted["notes"]}
            for id, *_ in entries[place : place + acted["handled"]]:
                yield said.get(id) or JobOutcome(id, "done")
            place += acted["handled"]
            if acted["stop"] is not None:
                break


def _results(records: Mapping[str, Record], name: str) -> list[Json]:
    """The results of the steps of a name, in the order in which the workflow has called them."""
    held = [record for record in records.values() if record.name == name and record.status == "SUCCEEDED"]
    held.sort(key=lambda record: int(record.id.partition("#")[2] or 0))
    return [json.loads(text_of(record.output) or "null") for record in held]


def _check(request: JobRequest) -> None:
    action = ACTIONS.get(request.action)
    if action is None:
        raise _invalid("action", f"must be one of {', '.join(ACTIONS)}")
    if (request.ids is None) == (request.filter is None):
        raise _invalid("", 'send either "ids" or "filter"; an empty filter takes all that the action can be done to')
    if not 0 < request.rate <= MAX_JOB_RATE:
        raise _invalid("rate", f"must be above 0 and at most {MAX_JOB_RATE:g} per second")
    if request.ids is not None and not 0 < len(request.ids) <= MAX_JOB_IDS:
        raise _invalid("ids", f"must be 1 to {MAX_JOB_IDS:,} ids; a filter takes any number of executions")
    for option in request.options:
        if option not in action.options:
            allowed = f"only {', '.join(sorted(action.options))}" if action.options else "none"
            raise _invalid("options", f"{request.action} has no option {option!r}: {allowed}")
    status = (request.filter or {}).get("status")
    if status is not None and status not in action.takes:
        raise _invalid("filter.status", f"{request.action} takes only executions that are {' or '.join(action.takes)}")
    if request.filter is not None and action.needs_status and status is None:
        raise _invalid("filter.status", f"{request.action} needs a status: one of {', '.join(action.takes)}")


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {message}" if field else message, ((field, message),))
