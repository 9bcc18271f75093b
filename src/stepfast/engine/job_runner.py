"""Carries out the steps of bulk jobs: chooses executions by pages, and acts on them at a rate (rule *job*)."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stepfast.engine import caller
from stepfast.engine.job_actions import ACTIONS, JobAction, JobActions, Planned
from stepfast.engine.pausing import is_held
from stepfast.engine.ports import Clock, Query, Store
from stepfast.engine.queries import ReadOperations
from stepfast.error_text import message_of
from stepfast.errors import GiveUp, Misconfigured, Refused, Unavailable
from stepfast.language import job_steps
from stepfast.language.job_workflow import JOB_WORKFLOW, STOP
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.model import Execution
from stepfast.records import dataclass
from stepfast.standing import hand_mark

log = logging.getLogger(__name__)

Json = dict[str, Any]
STOP_LOOK_SECONDS = 1.0
"""How often a job looks whether somebody has stopped it."""
JOB_CATCH_UP_SECONDS = 1.0
"""A job that is behind its rate makes up for this much of it, and no more."""
ACT_SECONDS = 6.0
"""After this time a step records what it has done, and the next step goes on. It is well below its lease."""
MOST_AT_ONCE = 100
"""Executions that are acted on at the same time."""
PLAN_PAGES = 10
"""Pages of the list that one plan reads where few of the executions match."""
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where the list of a filter goes on: the number of the status that is listed, and the cursor in its list."""

    status: int = 0
    cursor: str | None = None

    @classmethod
    def of(cls, text: str) -> ListPlace:
        number, _, cursor = text.partition("|")
        return cls(int(number or 0), cursor or None)

    def __str__(self) -> str:
        return f"{self.status}|{self.cursor or ''}"


class JobSteps:
    """Runs attempts of the steps of jobs. An attempt is safe to repeat after a crash."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store, self._clock = store, clock
        self._reading = ReadOperations(store, clock, registry)
        self._actions = JobActions(store, clock, registry)

    async def value(self, step: Step[..., Any], arguments: Mapping[str, Any], job: Execution) -> Json:
        """The result of a step of the execution that is the job."""
        match step.name:
            case job_steps.job_plan.name:
                return await self._plan(job, **arguments)
            case job_steps.job_act.name:
                return await self._act(job.execution_id, **arguments)
        raise GiveUp(f"this version of stepfast has no step {step.name!r}")

    # -- choosing ------------------------------------------------------------------------------------------

    async def _plan(self, execution: Execution, job: Json, place: str, ids: list[str] | None, limit: int) -> Json:
        action, entries, skipped = _action(job), list[list[Any]](), list[list[str]]()
        following: str | None = None
        stop = await self._stop(execution.execution_id)
        if stop is not None:
            pass
        elif ids is not None:
            held = {each.execution_id: each for each in await self._reading.read_many(ids)}
            for id in ids:
                _choose(action, id, held.get(id), entries, skipped)
        elif job["action"] == "release" and (workflow := _workflow_alone(job["filter"])) is not None:
            following = await self._by_notes(workflow, place, limit, entries)
        else:
            listed = await self._by_filter(execution, job, ListPlace.of(place), limit, entries, skipped)
            following = str(listed) if listed is not None else None
        return {"entries": entries, "skipped": skipped, "next": following, "stop": stop}

    async def _by_notes(self, workflow: str, place: str, limit: int, entries: list[list[Any]]) -> str | None:
        """Adds what is held with a workflow, from a place on; returns the place after it.

        The notes have all of it, where a list by an index of DynamoDB may lack the last.
        """
        pauses, cursor = self._store.workflow_pauses, place or None
        for _ in range(PLAN_PAGES):
            notes, cursor = await pauses.held(workflow, limit - len(entries), cursor)
            executions = await self._reading.read_many([note.execution_id for note in notes])
            held = {each.execution_id: each for each in executions if is_held(each)}
            for note in notes:
                if (execution := held.get(note.execution_id)) is not None:
                    entries.append(_entry(execution))
                else:
                    await pauses.forget_held(note)  # It was cancelled, or a crash has left the note.
            if cursor is None or len(entries) >= limit:
                break
        return cursor

    async def _by_filter(
        self,
        execution: Execution,
        job: Json,
        place: ListPlace,
        limit: int,
        entries: list[list[Any]],
        skipped: list[list[str]],
    ) -> ListPlace | None:
        """Adds what the filter takes, from a place on; returns the place after it, None at the end of the list."""
        action, wanted, began = _action(job), job["filter"], execution.created_at
        statuses = [wanted["status"]] if wanted.get("status") else action.takes
        for _ in range(PLAN_PAGES):
            query = Query(
                workflow=wanted.get("workflow"),
                status=statuses[place.status],
                labels=wanted.get("labels") or {},
                since=wanted.get("since"),
                until=min(began, wanted.get("until") or math.inf),
                prefix=wanted.get("prefix") or "",
                roots=wanted.get("roots", True),
                jobs=False,
                limit=limit - len(entries),
                cursor=place.cursor,
                values=False,
            )
            page = await self._reading.page(query)
            for each in page.executions:
                if not _fails_so(wanted, each):
                    continue
                if action.of_failures and (each.ended_at or 0.0) > began:
                    skipped.append([each.execution_id, "it has failed after the job began"])
                else:
                    _choose(action, each.execution_id, each, entries, skipped)
            place = replace(place, cursor=page.next)
            if page.next is None:
                place = ListPlace(place.status + 1)
                if place.status == len(statuses):
                    return None
            if len(entries) >= limit:
                break
        return place

    # -- acting --------------------------------------------------------------------------------------------

    async def _act(self, id: str, job: Json, entries: list[list[Any]], due: float) -> Json:
        action, rate, began = _action(job), float(job["rate"]), self._clock.now()
        due = max(due, began - JOB_CATCH_UP_SECONDS) if due else began
        outcomes, looked, stop = list[tuple[str, str, str] | None](), -math.inf, None
        with caller.called_from(None, job.get("by")):
            while len(outcomes) < len(entries):
                now = self._clock.now()
                if now - looked >= STOP_LOOK_SECONDS:
                    stop, looked = await self._stop(id), now
                    if stop is not None or now - began > ACT_SECONDS:
                        break
                if now < due:
                    await self._clock.sleep(min(due - now, STOP_LOOK_SECONDS))
                    continue
                ready = min(int((now - due) * rate) + 1, MOST_AT_ONCE)
                batch = [Planned(*entry) for entry in entries[len(outcomes) : len(outcomes) + ready]]
                outcomes += await self._all(action, batch, job)
                due += len(batch) / rate
        if stop is not None:
            outcomes += await self._after_stop(action, id, [Planned(*entry) for entry in entries[len(outcomes) :]])
        noted = [outcome for outcome in outcomes if outcome is not None]
        said: Json = {"skipped": [], "failed": [], "notes": []}
        for kind, execution_id, text in noted:
            said[kind].append([execution_id, text])
        return {"handled": len(outcomes), "due": due, "stop": stop, **said}

    async def _after_stop(self, action: JobAction, id: str, rest: list[Planned]) -> list[tuple[str, str, str] | None]:
        """The outcomes of those that a stop has kept the job from. An attempt that has died may have acted on some."""
        shown_by = [action.shown_by(each, id) for each in rest]
        held = {each.execution_id: each for each in await self._reading.read_many(shown_by)}
        why = "the job was stopped before it came to this execution"
        return [
            None if action.is_done(each, held.get(shown)) else ("skipped", each.execution_id, why)
            for each, shown in zip(rest, shown_by, strict=True)
        ]

    async def _all(self, action: JobAction, batch: list[Planned], job: Json) -> list[tuple[str, str, str] | None]:
        outcomes = await asyncio.gather(*(self._one(action, each, job) for each in batch), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome  # the step is tried again; what was done stays done
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    async def _one(self, action: JobAction, planned: Planned, job: Json) -> tuple[str, str, str] | None:
        """What there is to say about an execution that was acted on: kind, id and text; None if all went well."""
        try:
            note = await action.act(self._actions, planned, job)
        except (Unavailable, Misconfigured):
            raise
        except Refused as error:
            return "skipped", planned.execution_id, str(error)[:MAX_REASON]
        except Exception as error:
            log.exception("job %s could not %s execution %s", job["id"], job["action"], planned.execution_id)
            return "failed", planned.execution_id, f"{type(error).__name__}: {message_of(error)}"[:MAX_REASON]
        return None if note is None else ("notes", planned.execution_id, note[:MAX_REASON])

    async def _stop(self, id: str) -> Json | None:
        """Who has stopped the job, when and why."""
        signal = await self._store.signal(id, STOP)
        return None if signal is None else {**json.loads(signal.payload), "at": signal.received_at}


def _action(job: Json) -> JobAction:
    action = ACTIONS.get(job["action"])
    if action is None:
        raise GiveUp(f"this version of stepfast has no action {job['action']!r} of jobs")
    return action


def _choose(
    action: JobAction, id: str, execution: Execution | None, entries: list[list[Any]], skipped: list[list[str]]
) -> None:
    if execution is None:
        skipped.append([id, f"no execution has the id {id!r}"])
    elif execution.workflow == JOB_WORKFLOW:
        skipped.append([id, "it is a job: jobs do not act on jobs"])
    elif execution.status not in action.takes:
        takes = " or ".join(action.takes)
        skipped.append([id, f"execution {id!r} is {execution.status}: only a {takes} one is taken"])
    else:
        entries.append(_entry(execution))


def _entry(execution: Execution) -> list[Any]:
    hand = hand_mark(execution.intervention)
    return [execution.execution_id, execution.status, execution.generation, execution.created_at, hand]


def _workflow_alone(wanted: Json) -> str | None:
    """The workflow of a filter that says nothing else."""
    said = {name for name, value in wanted.items() if value}
    return wanted["workflow"] if said - {"roots"} == {"workflow"} else None


def _fails_so(wanted: Json, execution: Execution) -> bool:
    """Whether an execution has failed as the filter says. step "" is the workflow's own code; error: type or class."""
    step, error, failure = wanted.get("step"), wanted.get("error"), execution.error
    if step is None and error is None:
        return True
    if failure is None:
        return False
    return step in (None, failure.step or "") and error in (None, failure.type, failure.error_class)
