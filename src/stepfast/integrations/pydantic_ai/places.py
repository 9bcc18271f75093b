"""Where in an execution a run of an agent stands: the path that the ids of its commands begin with.

pydantic-ai runs its work in tasks of its own, whose number and names change with its versions. So ids of an agent's
commands do not begin with the paths of tasks, but with the path of the run, and for tools with the id of the call.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any

from stepfast.language.workflow_loop import commands_for, issuing_under

LONGEST_CALL_ID_CHARS = 40


def new_run_id(agent: str) -> str:
    """The id of a run that begins: of the execution, the task of the workflow's code, and the agent."""
    commands = commands_for("an agent's run")
    path, _ = commands.place(agent)
    return f"{commands.execution.execution_id}/{path}"


def path_of_run(run_id: str | None, agent: str) -> str:
    """The path of a run. A run with an id of the caller's own has a path of that id."""
    prefix = f"{commands_for('an agent').execution.execution_id}/"
    if run_id is not None and run_id.startswith(prefix):
        return run_id.removeprefix(prefix)
    return agent if run_id is None else f"{agent}:{_plain(run_id)}"


def within_run(agent: str, context: Any, call_id: str | None = None) -> AbstractContextManager[None]:
    """A block whose commands belong to the run of a RunContext, and to a call of a tool."""
    path = path_of_run(None if context is None else context.run_id, agent)
    return issuing_under(f"{path}/{_plain(call_id)}" if call_id else path)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._:-]+", "-", text)[:LONGEST_CALL_ID_CHARS]
