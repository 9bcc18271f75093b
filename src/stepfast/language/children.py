"""`child()`: a workflow that runs as an execution of its own, for whose end workflow code waits."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar, overload

from stepfast.errors import DefinitionError
from stepfast.language import direct
from stepfast.language.calls import CommandCall
from stepfast.language.starts import refusal_of_child
from stepfast.language.workflow_loop import Commands, commands_for, in_workflow
from stepfast.language.workflows import Workflow
from stepfast.model import OnCancel

T = TypeVar("T")
R = TypeVar("R")
ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
NAMED = "child:"
"""What the structural id of a child begins with, before the name of its workflow."""


class ChildCall(CommandCall[R]):
    """The coroutine of one call of child() in a workflow."""

    __slots__ = ("_asked",)

    def __init__(self, workflow: Workflow[..., R], input: Any, id: str | None, on_cancel: OnCancel) -> None:
        self._asked = (workflow, input, id, on_cancel)
        super().__init__(f"{NAMED}{workflow.name}", f"child {workflow.name!r}")

    def _ask(self, commands: Commands) -> Awaitable[Any]:
        return commands.child(*self._asked)


@overload
def child(
    workflow: Workflow[[], R], *, id: str | None = None, on_cancel: OnCancel = "cancel"
) -> Coroutine[object, None, R]: ...
@overload
def child(
    workflow: Workflow[[T], R], input: T, *, id: str | None = None, on_cancel: OnCancel = "cancel"
) -> Coroutine[object, None, R]: ...
def child(
    workflow: Workflow[..., Any], input: Any = None, *, id: str | None = None, on_cancel: OnCancel = "cancel"
) -> Coroutine[object, None, Any]:
    """Runs a workflow as an execution of its own, a child of this one, and returns its result when it is awaited.

    Await it, or give it to gather(), create_task(), wait_for() or a TaskGroup, as a call of a step. The child has its
    own commands and history. A child runs in the deployment of its parent.

    workflow: the workflow, as `@workflow` has made it. It must be deployed together with this one.
    input: the argument of the workflow; None for a workflow without an argument.
    id: the id of the child's execution, 1 to 128 of A-Z a-z 0-9 . _ -; by default it is made of the id of this
    execution and of the place of the call, such as "order-7.ship".
    on_cancel: what becomes of a child for which nobody waits any more. "cancel" cancels it, and "leave" lets it go on
    by itself. Nobody waits once this execution was cancelled or has ended, or the code has taken the call back, as a
    timeout does.

    If an execution of the id exists that this very call has started, it is taken up again: after a resume of this
    execution, a failed child is resumed.

    Raises ChildFailed when the child has failed for good or was cancelled, or its id belongs to another execution, or
    there are too many executions above it (`max_child_depth`). Raises DefinitionError for a wrong argument, NotStorable
    for an input that does not fit the workflow, and ForbiddenInWorkflow outside workflow code.
    """
    if not isinstance(workflow, Workflow):
        raise DefinitionError(
            f"child() takes a workflow of this deployment, as @workflow has made it, not {workflow!r}; a workflow of "
            "another deployment cannot be a child: start it in a step, with stepfast.Client"
        )
    where = f"child {workflow.name!r}"
    if id is not None and not (isinstance(id, str) and ID.fullmatch(id)):
        raise DefinitionError(f"{where}: id is 1 to 128 of A-Z a-z 0-9 . _ -, not {id!r}")
    if on_cancel not in ("cancel", "leave"):
        raise DefinitionError(f"{where}: on_cancel is 'cancel' or 'leave', not {on_cancel!r}")
    if in_workflow() is None and direct.in_direct_run():
        if workflow.starts is not None:
            raise DefinitionError(refusal_of_child(workflow.name))
        return workflow.coroutine_of(input)
    commands_for("child()")
    return ChildCall(workflow, input, id, on_cancel)
