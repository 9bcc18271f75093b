"""Edits of workflow code that executions in flight may not take: `patched` and `deprecate_patch`."""

from __future__ import annotations

from stepfast.language import direct
from stepfast.language.options import name_of
from stepfast.language.workflow_loop import commands_for, in_workflow


def patched(id: str) -> bool:
    """Whether the execution takes the new code of an edit: True unless it was past this place before the edit.

    id: a name for the edit, 1 to 64 of A-Z a-z 0-9 . _ -. Use it for no other edit of the workflow.

    The first call with an id decides for the whole run of the execution, in all of its tasks and loops. The answer is
    recorded before anything follows from it, so every replay repeats it. Outside of an engine, where a workflow is
    called as a plain function, it is True. docs/versioning.md shows how an edit is made safe by it.

    Raises DefinitionError for a wrong id, and ForbiddenInWorkflow outside workflow code.
    """
    name_of(id, "patch")
    if in_workflow() is None and direct.in_direct_run():
        return True
    return commands_for("patched()").patched(id)


def deprecate_patch(id: str) -> None:
    """Stands in the place of `if patched(id)` once the old code is gone: fails executions that still need it.

    id: the name of the edit, as `patched` had it.

    An execution that was past this place before the edit fails with NonDeterministic, whose text says what to do, and
    can be resumed with code that has both ways. Raises DefinitionError for a wrong id, and ForbiddenInWorkflow outside
    workflow code.
    """
    name_of(id, "patch")
    if in_workflow() is None and direct.in_direct_run():
        return
    commands_for("deprecate_patch()").deprecate_patch(id)
