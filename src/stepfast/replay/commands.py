"""The commands of workflow code, and the future that the code waits for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from stepfast.language.steps import Step
from stepfast.model import CommandKind
from stepfast.replay.loop import WorkflowLoop
from stepfast.replay.tasks import WorkflowFuture
from stepfast.values.codec import Codec, digest


@dataclass(slots=True, eq=False)
class Command:
    """A step, a timer or a signal that workflow code asked for.

    due, delay: of a timer, in seconds. codec: of a signal. owner: of a timer, the object whose method it calls, such as
    the scope of a timeout.
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

    @property
    def digest(self) -> str:
        """The digest of the input. The order of the keys makes no difference."""
        text = self.input or "null"
        several = text.count('":') > 1  # with at most one key there is nothing to sort
        return digest(json.dumps(json.loads(text), sort_keys=True) if several else text)


class CommandFuture(WorkflowFuture):
    """The future of a command; cancelling it takes the command back."""

    def __init__(
        self, number: int, loop: WorkflowLoop, outstanding: dict[str, Command], withdrawn: list[str], id: str
    ) -> None:
        super().__init__(number, loop)
        # Not the replay itself: workflow code holds its futures, and would hold the replay with them.
        self._outstanding, self._withdrawn, self._id = outstanding, withdrawn, id

    def cancel(self, msg: Any = None) -> bool:
        withdraw(self._outstanding, self._withdrawn, self._id)
        return super().cancel(msg)


def withdraw(outstanding: dict[str, Command], withdrawn: list[str], id: str) -> None:
    """Takes a command back, if it is outstanding."""
    if outstanding.pop(id, None) is not None:
        withdrawn.append(id)


def shortened(text: str, limit: int = 200) -> str:
    """The beginning of a value or of an error, for a message. White space after JSON marks unset fields and is cut."""
    text = text.rstrip()
    return text if len(text) <= limit else text[:limit] + "…"
