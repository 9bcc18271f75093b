"""The commands of workflow code, and the future that the code waits for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.model import CommandKind, OnCancel
from stepfast.replay.asyncio_internals import init_future
from stepfast.replay.loop import WorkflowLoop
from stepfast.replay.tasks import WorkflowFuture
from stepfast.values.codec import Codec, digest


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """What a command asks for: an execution of this workflow. id: the id that the code has given it, if any."""

    workflow: Workflow[..., Any]
    id: str | None
    on_cancel: OnCancel


@dataclass(slots=True, eq=False)
class Command:
    """A step, a timer, a signal or a child that workflow code asked for.

    due, delay: of a timer, in seconds. codec: of the payload of a signal, or the result of a child.
    owner: of a timer, the object whose method it calls, such as the scope of a timeout.
    """

    id: str
    kind: CommandKind
    name: str
    waiter: Any
    input: str | None = None
    step: Step[..., Any] | None = None
    codec: Codec | None = None
    due: float | None = None
    delay: float | None = None
    issued_at: float = 0.0
    owner: object = None
    child: Child | None = None

    @property
    def digest(self) -> str:
        """The digest of the input. The order of the keys makes no difference."""
        text = self.input or "null"
        several = text.count('":') > 1  # with at most one key there is nothing to sort
        return digest(json.dumps(json.loads(text), sort_keys=True) if several else text)


class CommandFuture(WorkflowFuture):
    """The future of a command; cancelling it takes the command back."""

    __slots__ = ("_outstanding", "_withdrawn", "command_id")

    def __init__(
        self, number: int, loop: WorkflowLoop, outstanding: dict[str, Command], withdrawn: Withdrawn, id: str
    ) -> None:
        init_future(self, loop=loop)
        self.number = number
        # Not the replay itself: workflow code holds its futures, and would hold the replay with them.
        self._outstanding, self._withdrawn, self.command_id = outstanding, withdrawn, id

    def cancel(self, msg: Any = None) -> bool:
        self._withdrawn.take(self._outstanding, self.command_id)
        return super().cancel(msg)


class Withdrawn(list[str]):
    """Commands for whose outcome the code no longer waits, by choices that are not durable.

    children: those of all commands so withdrawn, durably or not, that are children; somebody has to end them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.children: dict[str, Command] = {}

    def take(self, outstanding: dict[str, Command], id: str) -> None:
        """Takes a command back, if it is outstanding."""
        command = outstanding.pop(id, None)
        if command is not None:
            self.append(id)
            if command.kind == "child":
                self.children[id] = command


def shortened(text: str, limit: int = 200) -> str:
    """The beginning of a value or of an error, for a message. White space after JSON marks unset fields and is cut."""
    text = text.rstrip()
    return text if len(text) <= limit else text[:limit] + "…"
