"""What operators ask of whole workflows: to pause one, so that what starts of it is held, and to unpause it again."""

from __future__ import annotations

from collections.abc import Mapping

from stepfast.engine import caller
from stepfast.engine.job_operations import DEFAULT_JOB_RATE, JobOperations, JobRequest, JobState
from stepfast.engine.ports import Clock, Store
from stepfast.engine.workflow_pauses import WorkflowPause
from stepfast.language.registry import Registry


class WorkflowPausing:
    """Operations on whole workflows (rule *held start*). Each is safe to repeat."""

    def __init__(self, store: Store, clock: Clock, registry: Registry, jobs: JobOperations) -> None:
        self._store, self._clock, self._registry, self._jobs = store, clock, registry, jobs

    async def paused(self) -> Mapping[str, WorkflowPause]:
        """The paused workflows by name, also those that are not deployed here any more."""
        return await self._store.workflow_pauses.all(settled=True)

    async def pause(self, workflow: str, why: str | None = None) -> WorkflowPause:
        """Has executions of a workflow that start from now on be held. Those that have begun go on.

        Returns the pause that stands, which may be an earlier one. On AWS a function may begin executions for
        PAUSES_KEPT_SECONDS more. Raises UnknownWorkflow.
        """
        self._registry.find(workflow)
        return await self._store.workflow_pauses.pause(workflow, WorkflowPause(self._clock.now(), caller.who(), why))

    async def unpause(self, workflow: str, why: str | None = None, rate: float = DEFAULT_JOB_RATE) -> JobState:
        """Ends the pause of a workflow, and starts a bulk job that lets the held executions go.

        rate: executions a second. A repeated call starts another job, which lets go what the first has not. Raises
        UnknownWorkflow where nothing is known of the workflow.
        """
        ended = await self._store.workflow_pauses.unpause(workflow)
        if not ended:
            self._registry.find(workflow)
        asked = JobRequest("release", filter={"workflow": workflow, "roots": False}, rate=rate, why=why)
        job, _ = await self._jobs.start(asked)
        return job
