"""Execution, command record, cursor and signal: the frozen values every layer passes on.

Times are seconds since the epoch, UTC, as floats. Inputs, outputs and payloads are JSON texts:
only values/codec.py knows their types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal

from stepfast.records import dataclass
from stepfast.standing import ForkedFrom, Intervention, StartInfo
from stepfast.stored_text import Text
from stepfast.unguarded import Changing, unguarded
from stepfast.unguarded import replace as unguarded_replace

ExecutionStatus = Literal["RUNNING", "PAUSED", "SUCCEEDED", "FAILED", "CLOSED", "CANCELLED"]
CommandStatus = Literal["OPEN", "RUNNING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED"]
CommandKind = Literal["step", "timer", "signal", "child", "update"]
OnCancel = Literal["cancel", "leave"]

ENDED: frozenset[str] = frozenset({"SUCCEEDED", "FAILED", "CLOSED", "CANCELLED"})
UNDER_WAY: frozenset[str] = frozenset({"RUNNING", "PAUSED"})
ENDED_FOR_GOOD: frozenset[str] = frozenset({"SUCCEEDED", "CANCELLED"})
"""Statuses of an execution that will never change: a FAILED one may be resumed, a CLOSED one reopened."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it is stored.

    type: the name of the class.
    message: the text.
    step: the name of the step that the error came from; None for an error of the workflow's own code.
    traceback: the place where the error was raised, or None where it is not known.
    parked: set only on the failure of an execution: the name that its park message carries in place of a command.
    error_class: the qualified name of the class, with its module, where that differs from `type`.
    bases: the qualified names of the base classes, nearest first.
    """

    type: str
    message: str
    step: str | None = None
    traceback: str | None = None
    parked: str | None = None
    error_class: str | None = None
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One past attempt of a step. Times are seconds since the epoch, UTC.

    `error` is None only for an attempt that a crash of its worker interrupted. If only the process of a pool has died,
    which the worker has seen, `error` is a StepInterrupted, whose text gives the cause. An attempt that the engine
    stopped has a StepCancelled, whose text gives the reason. `next_at` is the due time of the next attempt, if any.
    """

    number: int
    started_at: float
    ended_at: float | None
    error: Failure | None
    next_at: float | None = None

    @property
    def crashed(self) -> bool:
        """Whether a crash of the process that ran it has interrupted the attempt."""
        return self.error is None or self.error.type == "StepInterrupted"

    @property
    def uses_no_try(self) -> bool:
        """Whether a crash or the engine has cut the attempt off, so that it says nothing about the step."""
        return self.crashed or (self.error is not None and self.error.type == "StepCancelled")


@unguarded
@dataclass(frozen=True, slots=True)
class Chained:
    """The claim of the next step that rides in a result's own write (rule *chain*).

    `digest` is of the input the step is run with, so that a changed workflow cannot hand the same
    command another input in the same generation.
    """

    id: str
    lease: float
    generation: int
    digest: str
    started_at: float


@unguarded
@dataclass(frozen=True, slots=True)
class Record:
    """The durable row of a command.

    `revision` counts its writes and only grows; every conditional write names the revision it read
    (0 for a record that was absent), so no two writers can both win. `token` tells whose write it was.
    `interrupted` counts the attempts that use up no tries: those cut off by a crash, or stopped by the engine.
    `children` are the ids of the executions that were started for a command of kind child; the last one is current.
    `repair` is JSON text of what an operator has set by hand: the result, or the input of the next attempt. `waited` is
    JSON text of what the step has waited for before its attempts (limits_waited.py). `progress` is JSON text of what a
    heartbeat has reported last.
    A large `input` or `output` may still be where the store keeps it: `stored_text.py::text_of` reads it.
    """

    id: str
    kind: CommandKind
    name: str
    status: CommandStatus
    generation: int
    revision: int = 1
    attempt: int = 0
    interrupted: int = 0
    token: str | None = None
    lease: float | None = None
    due: float | None = None
    input: Text | None = None
    output: Text | None = None
    error: Failure | None = None
    first_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    then: Chained | None = None
    signal: str | None = None
    attempts: tuple[Attempt, ...] = ()
    children: tuple[str, ...] = ()
    repair: str | None = None
    waited: str | None = None
    progress: str | None = None

    succeeded = Changing("status", "generation", "revision", "lease", "due", "output", "ended_at")
    leading_to = Changing("then")

    @property
    def recorded(self) -> bool:
        """True once the command has its outcome, which then never changes in this generation."""
        return self.status in ENDED


changed = unguarded_replace
"""A record with changes: each step makes several."""


@dataclass(frozen=True, slots=True)
class Link:
    """What makes an execution a child (rule *link*).

    parent: the id of the execution that asked for it. command: the id of the parent's command. generation: of the
    parent, when it last asked for the child. root: the id of the execution at the top of the tree. depth: the number of
    executions above the child. on_cancel: what becomes of the child when nobody waits for it any more. left: the parent
    has ended or taken the command back, and the child goes on by itself. run: of the parent, that asked for the child.
    asked: the digest of the input that the parent asked with; a child that continues as new has another.
    """

    parent: str
    command: str
    generation: int
    root: str
    depth: int = 1
    on_cancel: OnCancel = "cancel"
    left: bool = False
    run: int = 1
    asked: str = ""

    @property
    def parent_run(self) -> str:
        """The name in the store of the parent's run, as of Execution.run_id."""
        return run_id_of(self.parent, self.run)


@unguarded
@dataclass(frozen=True, slots=True)
class Execution:
    """The meta item of an execution: its workflow, input, status, and result or error.

    `causes` are the ids of the commands behind a failure, which a resume opens again. They are stored with the failure,
    because at the time of the resume the code may have been corrected and not fail any more. `resumed_at` is when this
    generation began; None in the first generation. `first_generation` is the generation at the start. It is above 0
    where an execution of the same id was deleted before, so that messages and workers left over from the deleted
    execution belong to other generations. `sent` is the fingerprint of the start request (Codec.sent); None for an
    execution that version 0.1 has started. `link` is set if the execution is a child of another.
    `progress` is JSON text of what workflow code has noted of its maps, for people to look at. `shown` is what it has
    shown by set_status() and set_labels(): see shown.py. `labels` are those of now.

    traceparent: the W3C header of the call that has started it, where there was one. start: what its start was turned
    into; None for a workflow without start options. intervention: the last thing that an operator has done to it by
    hand. forked: where a fork comes from.

    run: counted from 1; `ContinueAsNew` begins the next one. `input`, `result`, `error`, `causes`, `progress`,
    `resumed_at` and `first_generation` are of this run. began_at: when this run began; None for the first run, which
    began at `created_at`. continued: True for an earlier run, which has gone on as another.
    """

    execution_id: str
    workflow: str
    input: str
    created_at: float
    status: ExecutionStatus = "RUNNING"
    generation: int = 0
    result: str | None = None
    error: Failure | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    ended_at: float | None = None
    causes: tuple[str, ...] = ()
    resumed_at: float | None = None
    first_generation: int = 0
    sent: str | None = None
    link: Link | None = None
    progress: str | None = None
    run: int = 1
    began_at: float | None = None
    continued: bool = False
    traceparent: str | None = None
    start: StartInfo | None = None
    intervention: Intervention | None = None
    shown: str | None = None
    forked: ForkedFrom | None = None

    @property
    def waits(self) -> bool:
        """Whether it has not begun, since it waits for its turn or its moment."""
        return self.start is not None and self.start.waits

    @property
    def is_awaited(self) -> bool:
        """Whether others wait for its end: the execution above it, or those that want its key."""
        start = self.start
        if start is not None and (start.key is not None or (start.waits and start.debounce is not None)):
            return True
        return self.link is not None

    @property
    def unpaused_at(self) -> float | None:
        """When it was unpaused last, in seconds since the epoch; None where nothing says that it ever was."""
        hand = self.intervention
        return hand.at if hand is not None and hand.action == "unpause" else None

    @property
    def is_child(self) -> bool:
        """Whether another execution waits for the end of this one, or has waited until it failed."""
        return self.link is not None and not self.link.left

    @property
    def resumes(self) -> int:
        """The number of resumes since the start of this run. A cancel with a clean-up has begun a generation, too."""
        cleans_up = self.intervention is not None and self.intervention.cleanup is not None
        return self.generation - self.first_generation - cleans_up

    @property
    def run_began_at(self) -> float:
        """When this run began, in seconds since the epoch."""
        return self.created_at if self.began_at is None else self.began_at

    @property
    def run_id(self) -> str:
        """The name of this run in the store, under which its records and its order are kept."""
        return run_id_of(self.execution_id, self.run)


def run_id_of(execution_id: str, run: int) -> str:
    """The name of a run in the store: of the first run the id of its execution. No execution id may have a tilde."""
    return execution_id if run == 1 else f"{execution_id}~{run}"


def run_of(run_id: str) -> tuple[str, int]:
    """The execution id and the number of a run, from its name in the store."""
    if "~" not in run_id:
        return run_id, 1
    execution_id, _, run = run_id.partition("~")
    return execution_id, int(run)


@unguarded
@dataclass(frozen=True, slots=True)
class OrderEntry:
    """An entry of the order's log. Entries are only appended: none is ever rewritten (rule *order as a log*).

    number: the position in the log, from 0. applied: outcomes whose order was chosen. dispatched: commands that were
    sent. withdrawn: dispatched commands that the code waits for no more. cut: of a resume, how many of the outcomes
    applied before it stay applied; None in all other entries. ended: whether a cancel has appended it. seal: a random
    text, by which a message shows that this very entry asked for its command.
    """

    number: int
    generation: int
    applied: tuple[str, ...] = ()
    dispatched: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    cut: int | None = None
    ended: bool = False
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The durable decisions of an execution, as all entries of its order's log make them.

    applied: the order in which outcomes were applied wherever there was a choice. dispatched: the commands sent in the
    generation of the last entry, without those applied or withdrawn since. revision: the number of entries.
    """

    applied: tuple[str, ...] = ()
    dispatched: frozenset[str] = frozenset()
    generation: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Signal:
    """A named message sent to an execution from outside.

    number: the position of the signal among those of its execution, counted from 1 by the store in the order of
    arrival. A signal that an earlier version has stored has 0, and comes before all others. run: during which run it
    was sent, at the latest.
    """

    signal_id: str
    name: str
    payload: str
    received_at: float
    number: int = field(default=0, compare=False)
    run: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class SignalLimits:
    """How many signals a run of an execution takes in all, and how many bytes of payload."""

    count: int = 10_000
    bytes: int = 32_000_000


SIGNAL_LIMITS = SignalLimits()
MAX_CHILD_DEPTH = 32
"""Executions above a child, at most, unless a setting says otherwise."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The items of one execution, as read at one time.

    has_signals: False where the read has left the signals out. holder: the token of the memory that stands
    (engine/memory.py); "" where none does, and of a store without.
    """

    execution: Execution
    cursor: Cursor
    records: Mapping[str, Record]
    signals: tuple[Signal, ...] = ()
    has_signals: bool = True
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a running attempt must stop.

    lost: another worker holds the record, so the outcome of this attempt is not written.
    final: the execution has ended for good, so the step is never tried again.
    leave: the process is about to end. A thread cannot be cancelled, so the worker does not wait for it.
    crashed: the process that ran the attempt has died. The attempt counts as one that a crash has interrupted.
    unbegun: the step's function has not been called yet, so a step that runs at most once may still run.
    """

    reason: str
    lost: bool = False
    final: bool = False
    leave: bool = False
    crashed: bool = False
    unbegun: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an execution's history.

    at: when it happened, in seconds since the epoch.
    type: what happened, such as "attempt-failed".
    command: the id of the command that it happened to, or None.
    details: further values, by name.
    """

    at: float
    type: str
    command: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)


def close_attempt(record: Record, at: float | None, error: Failure | None, next_at: float | None) -> Record:
    """The record with its running attempt moved to the past attempts, of which the newest 50 are kept.

    at, next_at: seconds since the epoch, UTC; None where unknown, and where no attempt follows.
    """
    started = record.started_at if record.started_at is not None else record.first_at
    past = Attempt(record.attempt, started or 0.0, at, error, next_at)
    return replace(record, attempts=(*record.attempts, past)[-50:])
