"""What the engine needs from the outside: Store, Queue and Clock; and Deltas (deltas.py) where a store has them.

Each method states its rule. All writes are conditional and atomic. A method that returns False has written nothing; a
method that has returned has made its write durable. Every method may raise Unavailable: then it may or may not have
written, and the caller's own message or wake brings the work back. Every method may raise Misconfigured: then nothing
was written, and nothing will be until an operator fixes the fault. Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol

from stepfast.engine.audit_store import AuditStore
from stepfast.engine.fork_store import ForkStore
from stepfast.engine.intervention_store import InterventionStore
from stepfast.engine.limit_store import LimitStore
from stepfast.engine.link_store import LinkStore
from stepfast.engine.messages import Message
from stepfast.engine.metrics import Tallies
from stepfast.engine.record_reader import RecordReader
from stepfast.engine.run_store import NextRun as NextRun
from stepfast.engine.run_store import RunStore
from stepfast.engine.schedule_store import ScheduleStore
from stepfast.engine.shown_store import ShownStore
from stepfast.engine.start_items import Hold
from stepfast.engine.start_store import TurnStore
from stepfast.engine.workflow_pauses import WorkflowPauseStore
from stepfast.model import (
    SIGNAL_LIMITS,
    Event,
    Execution,
    ExecutionStatus,
    Link,
    OrderEntry,
    Record,
    Signal,
    SignalLimits,
    Snapshot,
)
from stepfast.records import dataclass
from stepfast.shown import ShownState
from stepfast.unguarded import unguarded


@dataclass(frozen=True, slots=True)
class Query:
    """Which executions to list: newest first, by (created_at, execution_id).

    since, until: of created_at; `since` is included, `until` is not. cursor: the `next` of an earlier page, opaque to
    callers. prefix: ids that begin with it and are longer. contains: ids that it is a part of; a page looks at a
    bounded number of executions for it, so it may be short or empty and have a `next`. roots: True leaves children out.
    patterns: only executions of workflows that these name, as of restriction.py; none leaves all.
    jobs: True takes only bulk jobs, False leaves them out, None takes both.
    parent: only the children of this execution, in the order of engine/child_list.py; stores do not look at it.
    values: False gives executions without their input ("") and result (None), which are then not read. With values, a
    page ends before they would be more than `bytes`, but it has an execution at least; its `next` goes on from there.
    """

    workflow: str | None = None
    status: ExecutionStatus | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    since: float | None = None
    until: float | None = None
    limit: int = 50
    cursor: str | None = None
    prefix: str = ""
    roots: bool = False
    jobs: bool | None = None
    values: bool = True
    parent: str | None = None
    bytes: int = 4 * 1024 * 1024
    patterns: tuple[str, ...] = ()
    contains: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Executions in the order of the query. next: the cursor of the page that follows, None after the last."""

    executions: tuple[Execution, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is known of a FAILED execution without reading it.

    step: None where the workflow's own code has failed. error: the class name. Both are None where it is not known.
    error_class: the class with its module, which may be cut if it is very long. resumes: how often it was resumed.
    """

    execution_id: str
    workflow: str
    created_at: float
    step: str | None
    error: str | None
    resumes: int
    error_class: str | None = None


@unguarded
@dataclass(frozen=True, slots=True)
class End:
    """How an execution ends, and what its end adds to the figures of its workflow.

    execution: as it is once it has ended. counts: lost where a store needs a write of its own for them and the
    process dies before it; then the end stands uncounted. wake: an advance follows, whatever dies in between.
    childless: no child of it may run any more, so that this advance only has to report the end to a parent.
    shown: what its code has come to show.
    """

    execution: Execution
    counts: Tallies = field(default_factory=dict)
    wake: bool = False
    childless: bool = False
    shown: ShownState | None = None


@unguarded
@dataclass(frozen=True, slots=True)
class Commit:
    """What was decided of a command, and what follows from it at once.

    wake: an advance follows, whatever dies in between. end: the end of the execution that the record has led to.
    shown: what the code of an execution has come to show by it, as `show` would write it after the record.
    due: since when the first attempt or the timer of the record was due, in seconds since the epoch; None where that is
    not known. Nothing stores it: it is for the listeners (observed.py).
    """

    record: Record
    end: End | None = None
    wake: bool = field(kw_only=True)
    shown: tuple[Execution, ShownState] | None = None
    due: float | None = None


@unguarded
@dataclass(frozen=True, slots=True)
class Committed:
    """What of a commit is written; true if the record is.

    end: whether the commit's end is written. It is not where another has ended or resumed the execution meanwhile:
    then the record stands all the same, since a step that has run keeps its outcome.
    """

    record: bool
    end: bool = False

    def __bool__(self) -> bool:
        return self.record


COMMITTED, NOT_COMMITTED = Committed(True), Committed(False)


class Store(RunStore, TurnStore, InterventionStore, ShownStore, ForkStore, Protocol):
    """The items of executions. `wake` makes sure that an advance follows, whatever dies in between.

    run_id: `Execution.run_id`, which for the first run is the id of the execution. A write of an earlier run is never
    seen by a later one (rule *runs*). reader: reads parts of an execution, for whoever looks at it. limits: what is
    stored of limits. schedules: what is stored of schedules. links: what is stored of answer links. audit:
    the audit list. workflow_pauses: which workflows are paused.
    """

    reader: RecordReader
    limits: LimitStore
    schedules: ScheduleStore
    links: LinkStore
    audit: AuditStore
    workflow_pauses: WorkflowPauseStore

    async def create(self, execution: Execution) -> Execution:
        """Puts a new execution, with wake, if the id is free (rule *start once*).

        Returns the execution that holds the id: the argument itself if it was created. Raises ExecutionDeleted
        where the execution's generation is not above that of a deleted one of the same id.
        """

    async def read(self, execution_id: str) -> Execution | None:
        """The execution without its commands and signals; None if no execution has this id."""

    async def read_many(self, execution_ids: Sequence[str]) -> list[Execution]:
        """The executions of these ids that exist, in any order, without their input ("") and result (None)."""

    async def load(self, execution_id: str, *, signals: bool = True) -> Snapshot | None:
        """All items of an execution. Records may be older than the order read with them.

        signals: False leaves the signals out, and says so in the snapshot.
        """

    async def signals(self, run_id: str, after: int = 0, *, payloads: bool = True) -> Sequence[Signal]:
        """The signals that a run may take or has taken, in the order of their numbers.

        after: signals up to this number may be left out. payloads: False gives "" in place of each payload.
        """

    async def signal(self, execution_id: str, signal_id: str) -> Signal | None:
        """The signal of this id, whatever run has taken it; None where the execution has none.

        If an earlier run has taken it, `run` is that run.
        """

    async def peek(self, run_id: str, command_id: str) -> tuple[Execution, Record | None] | None:
        """The execution and the record of one command of this run; None where there is no such execution.

        The record is None if the execution is of another run by now.
        """

    async def commit(self, run_id: str, commit: Commit) -> Committed:
        """Writes a record if the stored one has the revision before it (none stored: revision 1).

        Never over a record of a later generation. A write for an execution that is deleted by then is never
        seen: neither by its readers nor by an execution that is started under the same id (rule *deleted*).
        The end is written as `finish` does, once the record is. The store chooses between one transaction and two
        writes: after a crash in between, the command's message comes back and writes the end.
        """

    async def report(self, run_id: str, record: Record, generation: int) -> bool:
        """Writes a record, with wake, under the condition of `commit` and while the execution runs (rule *report*).

        The execution must be RUNNING in this generation.
        """

    async def relink(self, execution: Execution, link: Link) -> bool:
        """Writes the link of a child if the stored one has the same link, status and generation (rule *link*).

        execution: as it was read. Nothing else of the execution is written.
        """

    async def note(self, execution: Execution, progress: str) -> bool:
        """Writes the progress of an execution that is RUNNING in this generation (rule *progress*). It wakes nobody."""

    async def append(
        self, run_id: str, entry: OrderEntry, messages: Sequence[tuple[Message, float | None]] = ()
    ) -> bool:
        """Appends an entry to the order's log if none of its number is there (rule *order as a log*).

        The caller has read all entries before it. Sends the messages first, as Queue.send does: an entry that is
        written marks what was sent (rule *advance*). Messages may be sent even though the entry is refused.
        """

    async def entries(self, run_id: str, since: int = 0, of: str | None = None) -> Sequence[OrderEntry]:
        """The entries of the order's log from this number on, in the order of their numbers.

        of: the command that the caller asks about; then the entries may leave out the ids of all others.
        """

    async def finish(self, end: End) -> bool:
        """Writes an end if the stored execution is RUNNING in the same generation (rule *finish and park*).

        Its counts are added to the workflow's figures once the end is written.
        """

    async def cancel(self, end: End, records: Sequence[Record], order: int = 0) -> bool:
        """Writes the end, CANCELLED, and the records, if the execution is RUNNING or PAUSED in this generation.

        Each of the records is written under the condition of `commit`, all of it or nothing (rule *cancel*).
        order: the number of entries that the records were made from. An entry that says that the execution has ended is
        appended to them, under the condition of `append`: a later entry may have asked for commands that are not among
        the records, and no later one may follow.
        """

    async def rewind(
        self,
        execution: Execution,
        cut: OrderEntry,
        records: Sequence[Record],
        history: Sequence[Event],
        link: Link | None = None,
        hold: Hold | None = None,
    ) -> bool:
        """Resumes, with wake, if the stored execution is FAILED in the generation before (rule *rewind*).

        link: of a child that its parent takes up again, written in the place of the link of `execution` if that is the
        stored one (rule *link*). None leaves the stored link as it is. hold: of the key of its singleton, which it
        takes again in the same write, if the stored item has this version (rule *turn*).

        The cut, an entry of the order's log, and the records are written under their own conditions, all of it or
        nothing; the events are added to the history.
        """

    async def add_signal(self, execution_id: str, signal: Signal, limits: SignalLimits = SIGNAL_LIMITS) -> Signal:
        """Puts a signal, with wake, if its id is free; returns the signal that holds the id.

        It gets the next number, whatever number it has. Of two calls, the call that begins after the other has returned
        gets the higher number. Raises TooManySignals when the execution has got as many as the limits say, and may
        raise ExecutionNotFound when the execution is gone.
        """

    async def erase(self, execution: Execution) -> bool:
        """Deletes an execution with all its items, if the stored one has this generation and this status, an end.

        Its children go with it, whatever their status, and theirs; but not those that it has left.

        Nobody sees any of it once this returns True. Its figures stay. Where that takes several writes, the first
        decides, and the sweep goes on with what a crash has left. An execution that is started later under the same id
        has a first generation above this generation: no message and no worker of the deleted execution acts on it.
        """

    async def history(self, run_id: str) -> list[Event]:
        """Events of the current run kept by `rewind`, in the order written."""

    async def page(self, query: Query) -> Page:
        """A page of executions. Raises InvalidRequest for a cursor that no page has given."""

    async def faults(self, workflow: str | None, limit: int) -> tuple[Sequence[Fault], bool]:
        """At most `limit` FAILED executions that are no children, the last started, and False if there are more.

        A store in parts may take the most recent of each part.
        """

    async def figures(self, workflow: str, since: int, until: int) -> Mapping[int, Tallies]:
        """What was counted as executions of a workflow ended, by hour since the epoch; until is not included."""

    async def idle(self, limit: int, after: str = "") -> tuple[Sequence[str], str]:
        """Ids of RUNNING executions that nothing is under way for, and the position to go on from.

        after: the position that an earlier call gave; "" is the beginning, and is given once all were named. Executions
        that something is under way for may be named too: an advance is harmless.
        """


class Queue(Protocol):
    """At-least-once delivery, in any order, of messages that survive any crash once they are written."""

    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        """Sends messages, each to be delivered not before its time (seconds since the epoch, None: now).

        They are written at the latest together with whatever this process writes next, and never after it:
        what the sender writes, or what it was woken by, makes up for a message that a crash takes along.
        """


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch, UTC."""

    async def sleep(self, seconds: float) -> None:
        """Waits, letting others run."""


@unguarded
@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it was received; a redriven one is a new message, sent when it was redriven.

    due: when it was to be handled first, in seconds since the epoch; None for at once.
    """

    message: Message
    sent_at: float
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """The message has led to a lasting fact (rule *lasting fact*)."""


@dataclass(frozen=True, slots=True)
class Later:
    """Deliver it again at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """A park message: let the queue move it to the dead letters (rule *finish and park*)."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Another worker owns the step: let the message come back when its visibility ends (rule *record by token*)."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another thread of this process must take it: that whose event loop runs `async` steps. Nothing was written."""


Disposition = Delete | Later | Refuse | Leave | Elsewhere
