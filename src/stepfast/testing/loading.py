"""Executions of a file, such as `stepfast pull` makes, in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stepfast.testing.engine_stage import EngineStage
from stepfast.testing.runs import Run
from stepfast.testing.stage import Staged


class Loading(Staged[EngineStage]):
    """The part of an environment that takes executions from a file."""

    def load(self, path: Path | str) -> list[Run[Any]]:
        """Copies the executions of a file into the environment and returns their Runs, oldest first, without children.

        path: a file of `stepfast pull` or of `stepfast dev`, which is only read.

        Nothing of them runs yet: one that was RUNNING is PAUSED, so fake what must not run, then call `unpause` and
        `run_until`. One that is FAILED goes on with `resume`.

        Raises StartupError where there is no such file, LookupError for an execution of a workflow that was not given
        to the environment, and ExecutionConflict for an execution that is there already.
        """
        loaded = self._stage.load(Path(path))
        state = self._stage.state
        return [Run(state.reading, workflow, id) for id, workflow in loaded.items()]
