"""When workflow code may raise ContinueAsNew, and with what input. Pure."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from stepfast.errors import FailsExecution, ForbiddenInWorkflow
from stepfast.frames import codes_within_workflow
from stepfast.language import callables
from stepfast.language.continuing import ContinueAsNew
from stepfast.language.workflows import Workflow
from stepfast.replay.commands import Command


def input_text(workflow: Workflow[..., Any], path: str, input: Any) -> str:
    """The input of a new run as it is stored. path: of the task that raises ContinueAsNew, "" for the main task."""
    if path:
        raise ForbiddenInWorkflow(
            f"ContinueAsNew is raised in the task {path!r}, whose siblings it would leave behind: "
            "let the task return, and raise ContinueAsNew in the workflow's own coroutine once its tasks have ended"
        )
    if (inner := _awaited_workflow(workflow)) is not None:
        raise ForbiddenInWorkflow(
            f"ContinueAsNew is raised in {inner!r}, which {workflow.name!r} awaits as a part of itself: "
            f"let {inner!r} return, and raise ContinueAsNew in {workflow.name!r}"
        )
    return workflow.input.text(input)


def wrong_end(
    main: asyncio.Task[Any], left: Mapping[str, Command], updates: Collection[str] = ()
) -> FailsExecution | None:
    """Why the workflow may not continue as a new run though its coroutine has raised ContinueAsNew; None if it may.

    left: the commands that were outstanding when it was raised. updates: those that had begun and not ended.
    """
    error = None if main.cancelled() else main.exception()
    if isinstance(error, BaseExceptionGroup) and error.subgroup(ContinueAsNew) is not None:
        return ForbiddenInWorkflow(
            "ContinueAsNew is raised inside a TaskGroup, which makes an exception group of it: "
            "raise ContinueAsNew after the `async with` block"
        )
    if not isinstance(error, ContinueAsNew):
        return None
    if steps := [command.id for command in left.values() if command.kind != "timer" and command.kind != "signal"]:
        names = ", ".join(map(repr, steps[:5])) + (f" and {len(steps) - 5} more" if len(steps) > 5 else "")
        return ForbiddenInWorkflow(
            f"ContinueAsNew is raised while {names} are outstanding, and their outcomes would be lost: "
            "await them before, or cancel their tasks"
        )
    if updates:
        return ForbiddenInWorkflow(
            f"ContinueAsNew is raised while {len(updates)} update(s) run, whose senders would get no answer: "
            "`await all_updates_done()` before"
        )
    return None


def _awaited_workflow(workflow: Workflow[..., Any]) -> str | None:
    """The name of another workflow whose code is running right now, as a part of this one."""
    names = callables.workflows_by_code()
    running = map(names.get, codes_within_workflow())
    return next((name for name in running if name is not None and name != workflow.name), None)
