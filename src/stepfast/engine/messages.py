"""What a queue carries: which command of which generation, and for this process alone a hint (a typed one)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from stepfast.replay.commands import Command

MessageKind = Literal["step", "timer", "park"]


@dataclass(frozen=True, slots=True, eq=False)
class Hint:
    """A parallel step as the replay that sent its message knows it.

    order: the number of entries of the order's log under which the step is asked for. They are written by the time the
    message is delivered.
    """

    command: Command
    order: int


@dataclass(frozen=True, slots=True)
class Message:
    """Which command of which generation is to be handled; it has no payload (rule *message without payload*).

    hint: what saves whoever handles the message a replay.
    It never leaves the process, is no part of the message's identity, and may be missing at any time.
    """

    kind: MessageKind
    execution_id: str
    command_id: str
    generation: int
    pool: str = "default"
    hint: Hint | None = field(default=None, compare=False, repr=False)
