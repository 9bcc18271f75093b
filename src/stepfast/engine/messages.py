"""What a queue carries: which command of which generation, and for a step a hint that saves its worker a replay."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, assert_never

from stepfast.model import Execution, run_id_of
from stepfast.records import dataclass
from stepfast.replay.commands import Command
from stepfast.unguarded import unguarded

if TYPE_CHECKING:
    from stepfast.engine.limit_items import Permit

BY_GATE = "gate"
"""The name that a park message has in place of a command, by which a gate resumes what failed before it closed."""

MessageKind = Literal["step", "timer", "park"]


@unguarded
@dataclass(frozen=True, slots=True, eq=False)
class Hint:
    """A step as the replay that sent its message knows it (rule *seal*).

    name, input, issued_at: of the command. order: the number of entries of the order's log under which the step is
    asked for; None for a step that no choice stands behind, which nothing can take back. seal: of the last of these
    entries, which may not be written yet, or never; "" where all of them are written by the time the message is
    delivered. command: the command itself, as long as the message has not left the process.
    """

    name: str
    input: str
    issued_at: float
    order: int | None = None
    seal: str = ""
    command: Command | None = None


@unguarded
@dataclass(frozen=True, slots=True)
class Message:
    """Which command of which generation is to be handled (rule *message without payload*).

    run: of the execution that has sent it; what becomes of the message is decided by the generation alone.
    hint: what saves whoever handles the message a replay. It is no part of the message's identity, and may be missing
    at any time: all that it says can be found out by a replay.
    permits: what the step has of its limits already; they may be missing as well.
    """

    kind: MessageKind
    execution_id: str
    command_id: str
    generation: int
    pool: str = "default"
    hint: Hint | None = field(default=None, compare=False, repr=False)
    run: int = field(default=1, compare=False)
    permits: tuple[Permit, ...] = field(default=(), compare=False, repr=False)

    @property
    def run_id(self) -> str:
        """As of Execution.run_id."""
        return run_id_of(self.execution_id, self.run)


def message_for(execution: Execution, command: Command, hint: Hint | None) -> Message:
    """The message of a command that a replay has asked for. Raises ValueError for one that waits for something else."""
    kind: MessageKind
    match command.kind:
        case "step":
            kind = "step"
        case "timer":
            kind = "timer"
        case "signal" | "child" | "update":
            raise ValueError(f"{command.id!r} waits for a {command.kind}, which no message brings")
        case _:
            assert_never(command.kind)
    pool = command.step.pool if command.step else "default"
    return Message(kind, execution.execution_id, command.id, execution.generation, pool, hint, execution.run)
