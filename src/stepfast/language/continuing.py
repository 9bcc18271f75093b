"""Executions without end: workflow code that goes on as a new run of the same execution."""

from __future__ import annotations

from typing import Any

from stepfast.errors import ForbiddenInWorkflow, GiveUp
from stepfast.language import context, direct
from stepfast.language.workflow_loop import commands_for, in_workflow

CONTINUE_AFTER_COMMANDS = 1_000
"""Commands of a run from which on `continue_suggested()` is True.

To replay 1,000 commands takes some 50 ms of CPU, which a process that does not have the execution in its cache pays
for every result.
"""
CONTINUE_AFTER_BYTES = 1_000_000
"""Bytes of inputs and outcomes of a run from which on `continue_suggested()` is True.

One call of DynamoDB's Query reads 1 MB at most. A run below that is read by one call.
"""


class ContinueAsNew(BaseException):
    """Raise it in the workflow's own coroutine, and the execution goes on as a new run, from the workflow's beginning.

    input: the input of the new run, of the type that the workflow takes.

    The execution keeps its id, its labels and its start time. The new run has no records: the commands of the earlier
    run are kept apart, and expire after the retention. Signals that no wait has returned go along, in their order, and
    each is still taken once. A client that waits for the result gets that of the last run. Timers, signal waits and
    tasks that the code leaves behind end with the run. `finally` blocks run as they do when the workflow returns.

    It is a BaseException, so that `except Exception` does not catch it.

    Raises NotStorable for an input that the workflow does not take. Raises ForbiddenInWorkflow in a task of the
    workflow, in a workflow that another workflow awaits, and outside workflow code. The execution becomes FAILED then,
    and also if a step is still outstanding: correct the code and resume it. In a step it raises GiveUp.
    """

    def __init__(self, input: Any = None) -> None:
        super().__init__("the workflow continues as a new run")
        self.input = input
        self.text = "null"
        """The input as it is stored."""
        if (commands := in_workflow()) is not None:
            self.text = commands.next_input(input)
        elif context.current.get(None) is not None:
            raise GiveUp("a step cannot raise ContinueAsNew: return, and raise it in the workflow's code")
        elif not direct.in_direct_run():
            raise ForbiddenInWorkflow(
                "ContinueAsNew works only in workflow code: raise it in a function with @workflow"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args), self.__dict__.copy()


def _restored(kind: type[ContinueAsNew], args: tuple[Any, ...]) -> ContinueAsNew:
    """The exception without its constructor, which checks where it is called."""
    return kind.__new__(kind, *args)


def continue_suggested() -> bool:
    """Whether the run has become long, so that the code should raise ContinueAsNew at the next opportunity.

    It is True from 1,000 commands on, and from 1,000,000 bytes of their inputs and outcomes on, as far as the code has
    come. So it gives the same answer in every replay. Raises ForbiddenInWorkflow outside workflow code.
    """
    if in_workflow() is None and direct.in_direct_run():
        return False
    commands, size = commands_for("continue_suggested()").length()
    return commands >= CONTINUE_AFTER_COMMANDS or size >= CONTINUE_AFTER_BYTES
