"""The commands of children: what a call of child() asks the replay for, and the failure that the code sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepfast.errors import ChildFailed, StepFailed
from stepfast.language.children import NAMED
from stepfast.language.workflows import Workflow
from stepfast.model import Failure, OnCancel, Record
from stepfast.replay.commands import Child, Command, shortened
from stepfast.stored_text import StoredText, text_of


def child_name(workflow: Workflow[..., Any]) -> str:
    """The name that the structural id of a child ends with."""
    return f"{NAMED}{workflow.name}"


def command_of(id: str, workflow: Workflow[..., Any], input: Any, child_id: str | None, on_cancel: OnCancel) -> Command:
    """The command of a call; NotStorable where the input does not fit the workflow."""
    _ = workflow.result.adapter  # raises for a type without JSON form, before the child runs
    text = workflow.input.encode(input)[0]
    child = Child(workflow, child_id, on_cancel)
    return Command(id, "child", workflow.name, None, input=text, codec=workflow.result, child=child)


def other_input(command: Command, record: Record | None) -> tuple[str, str] | None:
    """What is recorded and what is asked for, if the outcome of the command is of another input."""
    if record is None or not record.recorded or record.input is None or command.child is None:
        return None
    asked, recorded = command.input or "null", record.input
    if isinstance(recorded, StoredText) and recorded.is_text(asked):
        return None
    if command.child.workflow.input.same(text_of(recorded), asked):
        return None
    return f"with the input {shortened(text_of(recorded))}", f"it with {shortened(command.input or '')}"


def failure_for(command: Command, record: Record) -> StepFailed:
    """What workflow code sees of a step or a child that has failed."""
    failure = record.error or Failure("Unknown", "")
    details = (failure.type, failure.message, record.attempt, failure.error_class, failure.bases)
    if command.kind != "child":
        return StepFailed(command.name, command.id, *details)
    return ChildFailed(
        command.name,
        command.id,
        record.children[-1] if record.children else "",
        failure.step,
        failure.type,
        failure.message,
        failure.error_class,
        failure.bases,
    )


def has_open_child(issued: Mapping[str, Command], records: Mapping[str, Record]) -> bool:
    """Whether a child may still run that the code has asked for, now or in an earlier generation."""

    def may_run(record: Record | None) -> bool:
        return record is None or record.status not in ("SUCCEEDED", "FAILED") or len(record.children) > 1

    asked = [id for id, command in issued.items() if command.kind == "child"]
    held = [record for record in records.values() if record.kind == "child"]
    return any(may_run(records.get(id)) for id in asked) or any(map(may_run, held))
