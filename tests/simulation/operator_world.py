"""A simulated family whose operators do all that the API offers, at any moment: to its members, and by bulk jobs.

They pause, close, repair, fork, cancel, terminate, delete, answer links twice, and start jobs that do the same to many.
Jobs run in the same world: their steps are overtaken and killed, and the world sees what each has written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from stepfast import callback, child, workflow
from stepfast.engine.answering import LinkRefused
from stepfast.engine.job_actions import ACTIONS
from stepfast.engine.job_operations import JobRequest
from stepfast.engine.repairing import Repair
from stepfast.language import callback_steps
from stepfast.language.job_workflow import JOB_WORKFLOW
from stepfast.language.registry import Registry
from stepfast.link_tokens import token_in
from stepfast.model import Execution, Record
from stepfast.stored_text import text_of
from stepfast.testing.memory import finished
from tests.simulation.families import FAMILIES, MEMBERS, end, first, kid
from tests.simulation.fork_world import ForkingWorld
from tests.simulation.test_pausing_families import PausingFamily

MOST_JOBS = 6
JOB_ACTS = ("resume", "cancel", "terminate", "pause", "unpause", "close", "reopen", "delete")
HEAVY = ("cancel", "terminate", "delete")
"""Actions that few runs have, since they end everything."""


@workflow("asking")
async def asking(argument: Any) -> Any:
    """Asks by a link, and passes on what was answered."""
    async with callback("approved", timeout=timedelta(days=30)) as link:
        await first(argument)
        return await link.answer()


@workflow("approving")
async def approving(_: Any) -> Any:
    """Needs two answers, one of them a child's, and a step that fails while there is an outage."""
    async with callback("signed", timeout=timedelta(days=30)) as link:
        below = await child(asking, 1)
        passed = await child(kid, below)
        return await end([below, passed, await link.answer()])


class OperatorWorld(PausingFamily, ForkingWorld):
    """did: how often operators and jobs did what."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.did: Counter[str] = Counter()
        self._jobs: dict[str, JobRequest] = {}
        self._acted: Counter[tuple[str, str, float]] = Counter()
        self._reported: dict[str, tuple[Any, ...]] = {}
        self._answers: dict[str, Any] = {}
        self._repaired: dict[tuple[str, int, str], Record] = {}
        super().__init__(workflow, seed)
        self.deleting = seed % 4 == 1
        self.cancelling = seed % 5 == 2 or workflow == "endless"

    def _open(self) -> None:
        self.registry = Registry([*FAMILIES.values(), *MEMBERS, asking, approving])
        super()._open()
        intervene, rewind, commit = self.backend.intervene, self.backend.rewind, self.backend.commit

        async def turned(turn: Any) -> bool:
            written = await intervene(turn)
            if written:
                self._has_acted(turn.after, turn.after.intervention)
                self.did[turn.after.intervention.action] += 1
            return written

        async def rewound(execution: Execution, *arguments: Any) -> bool:
            held = await self.backend.read(execution.execution_id)
            written = await rewind(execution, *arguments)
            if written and held is not None and held.status == "CLOSED":
                self.watch.violated("a-closed-one-is-not-resumed", execution.execution_id)
            if written:
                self._note_repairs(execution, arguments[1])
            return written

        async def committed(run_id: str, change: Any) -> Any:
            result = await commit(run_id, change)
            if result:
                self._note_commit(run_id, change.record)
            return result

        self.backend.intervene = turned  # type: ignore[method-assign]
        self.backend.rewind = rewound  # type: ignore[method-assign, assignment]
        self.backend.commit = committed  # type: ignore[method-assign, assignment]

    # -- what must hold --------------------------------------------------------------------------------------

    def _note_repairs(self, execution: Execution, records: Any) -> None:
        for record in records:
            if record.repair is not None and record.status == "SUCCEEDED":
                self.did["repair"] += 1
                self._repaired[execution.run_id, record.generation, record.id] = record

    def _note_commit(self, run_id: str, record: Record) -> None:
        key = (run_id, record.generation, record.id)
        stood = self._repaired.get(key)
        if stood is not None and text_of(record.output) != text_of(stood.output):
            self.watch.violated("a-repair-stands", f"{key} became {record}")
        if record.repair is not None and record.status == "SUCCEEDED":
            self.did["repair"] += stood is None
            self._repaired.setdefault(key, record)

    def _has_acted(self, execution: Execution, intervention: Any) -> None:
        """A job has written to an execution: it names itself in the reason."""
        _, found, job = (intervention.why or "").rpartition("job ")
        if found and intervention.parent is None:
            place = (job.rstrip(")"), execution.execution_id, execution.created_at)
            self._acted[place] += 1
            self.did["by a job"] += 1
            if self._acted[place] > 1:
                self.watch.violated("a-job-acts-once", f"{place} by {intervention.action}")

    def verdict(self) -> None:
        """At the end: each job of a list has seen to all of it, once each, and says the same to whoever asks."""
        for id, request in self._jobs.items():
            held = finished(self.backend.read(id))
            if held is None or held.status != "SUCCEEDED" or held.workflow != JOB_WORKFLOW:
                continue
            self.did["job"] += 1
            totals = json.loads(held.result or "{}")
            seen = totals["done"] + totals["skipped"] + totals["failed"]
            if request.ids is not None and totals["stop"] is None and seen != len(request.ids):
                self.watch.violated("a-job-acts-once", f"{id} has seen to {seen} of {len(request.ids)}: {totals}")
            if totals["failed"]:
                self.watch.violated("a-job-acts-once", f"{id} could not act: {totals}")
        for link, answer in self._answers.items():
            id = link.partition("|")[0]
            signals = [each for each in self._signals_of(id) if each.name == link.partition("|")[2]]
            if any(json.loads(each.payload) != answer for each in signals):
                self.watch.violated("a-link-works-once", f"{link} was answered {answer}, and holds {signals}")

    def _signals_of(self, id: str) -> Any:
        snapshot = finished(self.backend.load(id))
        return () if snapshot is None else snapshot.signals

    # -- what operators do -----------------------------------------------------------------------------------

    def _from_outside(self) -> list[Callable[[], object]]:
        choices, members = super()._from_outside(), self.members()
        draw = self.random.random
        failed = [each.execution_id for each in members if each.status == "FAILED"]
        closed = [each.execution_id for each in members if each.status == "CLOSED"]
        under_way = [each.execution_id for each in members if each.status in ("RUNNING", "FAILED", "PAUSED")]
        if failed and self.did["close"] < 4:
            choices.append(lambda: self._act("close", self.random.choice(failed)))
        if closed:
            choices.append(lambda: self._act("reopen", self.random.choice(closed)))
            choices.append(lambda: self._act("resume", self.random.choice(closed)))
        if under_way and draw() < 0.5:
            choices.append(lambda: self._repair(self.random.choice(under_way)))
        if members and len(self._jobs) < MOST_JOBS and draw() < 0.4:
            choices.append(lambda: self._start_job(members))
        elif self._jobs and draw() < 0.3:
            choices.append(lambda: self._ask_again(self.random.choice(list(self._jobs))))
        if self._jobs and draw() < 0.05:
            choices.append(lambda: self._spawn("stop", self._stop(self.random.choice(list(self._jobs)))))
        if self.cancelling and under_way and draw() < 0.1:
            choices.append(lambda: self._act("terminate", self.random.choice(under_way)))
        links = self._links()
        if links and draw() < 0.5:
            choices.append(lambda: self._answer(*self.random.choice(links)))
        return choices

    def _act(self, action: str, id: str) -> None:
        self.note(f"{action} {id}")

        async def work() -> None:
            await getattr(self._engine()[2], action)(id)

        self._spawn("operator", work())

    def _repair(self, id: str) -> None:
        snapshot = finished(self.backend.load(id))
        if snapshot is None or snapshot.execution.workflow == JOB_WORKFLOW:
            return
        steps = [each for each in snapshot.records.values() if each.kind == "step" and not _builtin(each)]
        if not steps:
            return
        record, number = self.random.choice(steps), self.random.randrange(3)
        repair = (
            Repair("input", {"argument": f"mended {number}"})
            if self.random.random() < 0.3
            else Repair("result", f"by hand {number}")
        )
        self.note(f"repair {id} {record.id}: {repair.subject}")

        async def work() -> None:
            await self._engine()[2].repair(id, record.id, repair)

        self._spawn("operator", work())

    def _start_job(self, members: list[Execution]) -> None:
        statuses = {each.status for each in members if each.link is None and each.workflow != JOB_WORKFLOW}
        acts = [each for each in JOB_ACTS if self.cancelling or each not in HEAVY]
        if self.random.random() < 0.9:
            acts = [each for each in acts if statuses.intersection(ACTIONS[each].takes)] or acts
        action = self.random.choice(acts)
        ids = [each.execution_id for each in members if each.link is None and each.workflow != JOB_WORKFLOW]
        filter: Mapping[str, Any] | None = None
        if self.random.random() < 0.3 and action != "delete":
            filter = {"roots": True}
        rate = self.random.choice((0.2, 1.0, 50.0))
        id = f"job{len(self._jobs)}"
        self._jobs[id] = JobRequest(action, None if filter else [*ids, "nobody"], filter, rate)
        self._ask_again(id)

    def _ask_again(self, id: str) -> None:
        self.note(f"{id}: {self._jobs[id].action}")

        async def work() -> None:
            await self._engine()[2].jobs.start(self._jobs[id], id)

        self._spawn("operator", work())

    async def _stop(self, id: str) -> None:
        await self._engine()[2].jobs.stop(id)

    def _links(self) -> list[tuple[str, str]]:
        """The ids of executions with the tokens of the links that they have made."""
        rows = self.file._db.execute(
            "SELECT execution_id, output FROM commands WHERE name = ? AND status = 'SUCCEEDED'",
            (callback_steps.open_link.name,),
        )
        return [(id, token_in(json.loads(output)["url"])) for id, output in rows if output]

    def _answer(self, id: str, token: str) -> None:
        number = self.random.randrange(3)
        self.note(f"answer {number} by a link of {id}")

        async def work() -> None:
            links = self._engine()[2].links
            try:
                claims = await links.check(token)
                sent = await links.answer(claims, number)
            except LinkRefused as error:
                self.did[f"link {error.reason}"] += 1
                return
            self.did["link"] += sent.created
            place = f"{claims.execution_id}|{claims.link}"
            if self._answers.setdefault(place, number) != number:
                self.watch.violated("a-link-works-once", f"{place} took {self._answers[place]} and {number}")

        self._spawn("operator", work())

    def _idle(self) -> Callable[[], object] | None:
        if not self.queue:
            members = self.members()
            closed = [each.execution_id for each in members if each.status == "CLOSED"]
            if closed and members:
                self.now += self.random.uniform(1, 60)
                return lambda: self._act("reopen", closed[0])
            failed = [each.execution_id for each in members if each.status == "FAILED" and each.link is None]
            if failed:
                self.now += self.random.uniform(1, 60)
                return lambda: self._act("resume", failed[0])
        asked = [(id, token) for id, token in self._links() if self._waits_at_a_link(id)]
        if asked and (not self.queue or self.random.random() < 0.3):
            return lambda: self._answer(*self.random.choice(asked))
        return super()._idle()

    def _waits_at_a_link(self, id: str) -> bool:
        held = finished(self.backend.read(id))
        return held is not None and held.status == "RUNNING" and held.workflow in ("asking", "approving")


def _builtin(record: Record) -> bool:
    return record.name.startswith("stepfast.")


class InTurn:
    """Stands for asyncio in job_runner: a simulated world has no event loop, so what is gathered goes in turn."""

    @staticmethod
    async def gather(*awaitables: Any, return_exceptions: bool = False) -> list[Any]:
        results = list[Any]()
        try:
            for each in awaitables:
                try:
                    results.append(await each)
                except Exception as error:
                    if not return_exceptions:
                        raise
                    results.append(error)
        finally:
            for each in awaitables[len(results) :]:
                each.close()
        return results
