"""A command as workflow code asks for it, and the future that the code waits for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepfast.language.steps import Step
from stepfast.model import CommandKind
from stepfast.replay.loop import WorkflowLoop
from stepfast.replay.tasks import WorkflowFuture
from stepfast.values.codec import Codec, digest


@dataclass(slots=True, eq=False)
class Command:
    """What workflow code asked for; `due` and `delay` are a timer's, `codec` a signal wait's.

    owner: of a timer, the object whose method it calls: the scope of a timeout.
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
        """Of the input, whatever the order of its keys."""
        text = self.input or "null"
        several = text.count('":') > 1  # one key at most has but one order
        return digest(json.dumps(json.loads(text), sort_keys=True) if several else text)


class CommandFuture(WorkflowFuture):
    """The future of a command; cancelling it takes the command back."""

    def __init__(self, number: int, loop: WorkflowLoop, withdraw: Callable[[str], None], id: str) -> None:
        super().__init__(number, loop)
        self._withdraw, self._id = withdraw, id

    def cancel(self, msg: Any = None) -> bool:
        self._withdraw(self._id)
        return super().cancel(msg)


def shortened(text: str, limit: int = 200) -> str:
    """The beginning of a value or of an error, for a message; the white space after JSON only says what was unset."""
    text = text.rstrip()
    return text if len(text) <= limit else text[:limit] + "…"
