"""One pass over an execution: load, replay, take signals, dispatch what is new, mark (rule *advance*)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Sequence
from typing import Literal

from stepfast.engine import progress
from stepfast.engine.attempt import SKEW
from stepfast.engine.beginning import Beginning
from stepfast.engine.children import CHILDREN_AT_ONCE, Children
from stepfast.engine.ends import EndFollower
from stepfast.engine.finish import finish
from stepfast.engine.holding import PAUSES_KEPT_SECONDS, Holding
from stepfast.engine.memory import Memory, News
from stepfast.engine.messages import Hint, Message, message_for
from stepfast.engine.opening import OpenedReplay, ReplayOpener
from stepfast.engine.order import Order
from stepfast.engine.placement import Placement
from stepfast.engine.ports import Clock, Commit, Queue, Store
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.resending import Resend, last_sign, resend_after
from stepfast.engine.showing import show
from stepfast.engine.start_items import begin_message
from stepfast.engine.update_answers import record_answers
from stepfast.errors import FailsExecution, StepNotDeployed, WorkflowNotDeployed
from stepfast.language.registry import Registry
from stepfast.model import MAX_CHILD_DEPTH, Execution, OrderEntry, Record, Signal, Snapshot
from stepfast.records import dataclass
from stepfast.replay.replay import Command, Replay
from stepfast.replay.signals import Arrived, waits_of

log = logging.getLogger(__name__)
RECORDS_FOR_A_HOP = 100
"""Records that are read and replayed for the price of one step that is handed to another worker, instead of chained.

On AWS that step takes a write, a message, an invocation of the advancer and a share of one of the worker, about 1.3
dollars a million. A record takes about 0.08 read units to read, or 0.01 dollars a million, and as much to replay.
"""
DISPATCHED_AT_ONCE = 1000
"""Commands of one entry of the order's log, where a store has no deltas: SQS takes about half a second for as many."""

Sent = tuple[Message, float | None]
Outcome = Literal["done", "ended", "go on", "reload"]
"""Of a pass: nothing is left to decide; the same, since the pass has written the execution's end; go on with this
replay and what is stored by now; start over from the store."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """What an advance has come to.

    snapshot: the execution as it was read last; None where it does not exist, or where nothing was read. With a live
    replay it may have only the records that have changed. sent: the messages that were sent, each with when it
    is due. finished: True where this advance has written the end. waits: True where the execution is RUNNING and its
    workflow is not deployed here.
    """

    snapshot: Snapshot | None
    sent: tuple[Sent, ...] = ()
    finished: bool = False
    waits: bool = False


class Advancer:
    """Extends the order of results and sends what is outstanding; any number of passes is harmless.

    lives: live replays of executions, kept between passes; shared with the worker of the same process.
    placement: where steps can run; None where any step can. memory: of this process, if it receives news.
    records_for_a_hop: as of Replay.chains, for a store without deltas.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        registry: Registry,
        lives: LiveReplays | None = None,
        placement: Placement | None = None,
        memory: Memory | None = None,
        records_for_a_hop: int = RECORDS_FOR_A_HOP,
        max_child_depth: int = MAX_CHILD_DEPTH,
    ) -> None:
        self._store, self._queue, self._clock, self._placement = store, queue, clock, placement
        self._memory, self._records_for_a_hop = memory, records_for_a_hop
        self._lives = lives or LiveReplays()
        self._opener = ReplayOpener(store, registry, self._lives)
        self._children = Children(store, queue, clock, registry, max_child_depth)
        self._holding = Holding(store, clock, 0.0 if self._lives.follows else PAUSES_KEPT_SECONDS)
        self._beginning = Beginning(store, queue, clock, self._children.cancelling.cancel, self._holding.holds)
        self._ends = EndFollower(store, self._children, self._beginning, self._holding)

    async def advance(self, execution_id: str, *, resend: Resend | None = None, news: News | None = None) -> Advanced:
        """Advances until nothing is left to decide; `resend` sends again what was sent before (rule *sweep*).

        news: all that has woken this advance; None where that is not known.

        An execution whose workflow is not deployed is left as it is: it waits for a deployment that
        has the workflow, and the sweep finds it then.
        """
        if await self._ends.follow_alone(execution_id, childless=news is not None and news.reports):
            if self._memory is not None:
                self._memory.forget(execution_id)
            return Advanced(None)
        sent: list[Sent] = []
        while True:
            recalled = await self._recall(execution_id, news)
            remembered = recalled if isinstance(recalled, OpenedReplay) else None
            async with self._opener.open(execution_id, opened=remembered) as opened:
                snapshot, replay = opened.snapshot, opened.replay
                if snapshot is None or snapshot.execution.status != "RUNNING":
                    await self._ends.follow(snapshot)
                    return Advanced(snapshot, tuple(sent))
                if replay is None:
                    log.warning(
                        "execution %s waits: its workflow %r is not deployed here",
                        execution_id,
                        snapshot.execution.workflow,
                    )
                    return Advanced(snapshot, tuple(sent), waits=True)
                if snapshot.execution.waits:
                    return Advanced(snapshot, await self._begin(snapshot.execution, resend))
                if news is not None and recalled == "" and self._memory and self._memory.voids(execution_id, snapshot):
                    continue
                replay.advance(snapshot.records, opened.order.applied, extend=True)
                begins = not replay.records or resend is not None or snapshot.execution.unpaused_at is not None
                execution = snapshot.execution
                if (begins and await self._children.may_not_begin(execution)) or await self._children.rests(snapshot):
                    return Advanced(snapshot, tuple(sent))
                if await self._holding.holds(execution, begun=bool(replay.records or opened.order.revision)):
                    return Advanced(snapshot, tuple(sent))
                if resend is not None and not opened.cached:
                    replay.lines.drop()  # the sweep repeats what a pass before it has logged
                outcome = await self._pass(snapshot, opened, replay, resend, sent, wakes=news is None)
                if outcome in ("done", "ended") and replay.decided:
                    replay.lines.flush()
                if outcome != "reload" and replay.error is None:
                    if self._memory is not None and news is not None and opened.live is not None:
                        self._memory.remember(execution_id, opened.live, "" if remembered else str(recalled))
                    opened.keep()
                news = News(opened.taken, own=True) if outcome == "go on" and news is not None else None
                if outcome in ("done", "ended"):
                    return Advanced(snapshot, tuple(sent), finished=outcome == "ended")

    async def _recall(self, execution_id: str, news: News | None) -> OpenedReplay | str:
        if self._memory is None or news is None:
            return ""
        return await self._memory.recall(execution_id, news)

    def forget(self) -> None:
        """Closes the replays that are kept; the next advances load what they need."""
        self._lives.clear()

    async def _pass(
        self,
        snapshot: Snapshot,
        opened: OpenedReplay,
        replay: Replay,
        resend: Resend | None,
        sent: list[Sent],
        wakes: bool,
    ) -> Outcome:
        """Does what comes next. The order of what is opened has what this pass has appended to its log. wakes: whether
        what it records has to wake another advance: news need none, they come again until a pass on them ends well.
        """
        execution, order = snapshot.execution, opened.order
        await progress.note(self._store, execution, replay)
        if not replay.finished:
            await show(self._store, execution, replay)
        if replay.finished and replay.decided:
            return await self._finish(execution, replay)
        if replay.stale:
            return "reload"
        settled = resend is None and opened.settled
        if not settled and (wrong := self._unplaced(replay)) is not None:
            replay.error = wrong
            return await self._finish(execution, replay)
        if snapshot.has_signals:
            _hear(replay, snapshot.signals)
        if not replay.finished and (taken := await self._take_signal(snapshot, replay)) is not None:
            if replay.acts:
                # The order comes first, and nothing is sent with it: the timer of a timeout of 0 would be over before
                # the signal that is there was taken.
                entry = _entry(execution, replay, order, ())
                return "go on" if await self._append(replay, order, entry) else "reload"
            if await self._store.commit(execution.run_id, Commit(taken, wake=wakes)):
                opened.taken = (taken,)
            replay.lines.flush()  # from here on the record says that the code has been here
            return "go on" if opened.taken else "reload"
        due = [] if settled else self._due(snapshot, replay, order, resend, opened.sent)
        children = [command for command in due if command.kind == "child"]
        if children and replay.acts:
            # A child is started only once the order that asks for it is durable: nobody could take it back otherwise.
            entry = _entry(execution, replay, order, ())
            return "go on" if await self._append(replay, order, entry) else "reload"
        if children:
            now = children if resend is not None else children[:CHILDREN_AT_ONCE]
            await self._children.dispatch_all(execution, replay, now, again=resend is not None)
            due = [command for command in due if command.kind != "child" or command in now]
        for part in self._parts(due):
            if not await self._dispatch(opened, replay, part, sent):
                return "reload"
        more = resend is None and len(children) > CHILDREN_AT_ONCE
        if not replay.finished and not await record_answers(self._store, self._clock, execution, replay):
            return "reload"
        if not more:
            opened.settle()
        if replay.finished:  # on the order that is durable by now: another replay would come to the same
            return await self._finish(execution, replay)
        await show(self._store, execution, replay)
        await self._children.release(execution, replay)
        return "go on" if more else "done"

    async def _begin(self, execution: Execution, resend: Resend | None) -> tuple[Sent, ...]:
        """Has a waiting execution begin if it may; its begin wakes another advance. The messages that were sent."""
        at, start = await self._beginning.drive(execution), execution.start
        # The message of a moment that was there is under way; the sweep after that moment makes up for a lost one.
        if at is None or (resend is not None and start is not None and at == start.begins_at):
            return ()
        sent = (begin_message(execution), at)
        await self._queue.send([sent])
        return (sent,)

    async def _finish(self, execution: Execution, replay: Replay) -> Outcome:
        """Writes the end, and reports that of a child at once. Its wake makes up for a crash in between."""
        if replay.continues is not None:
            await self._children.release(execution, replay)  # nobody looks at this run any more
        if not await finish(self._store, self._queue, self._clock, execution, replay):
            return "done"
        await self._ends.report_written(execution, replay)
        return "ended"

    def _parts(self, due: Sequence[Command]) -> Sequence[Sequence[Command]]:
        """The commands by entries of the order's log; one part at least, which may be empty.

        Messages are sent before their entry is written. Where a queue may deliver them at once, their workers wait for
        the entry, so a wide gather is dispatched by several entries.
        """
        if self._lives.follows or len(due) <= DISPATCHED_AT_ONCE:
            return [due]
        return [due[start : start + DISPATCHED_AT_ONCE] for start in range(0, len(due), DISPATCHED_AT_ONCE)]

    async def _dispatch(self, opened: OpenedReplay, replay: Replay, due: Sequence[Command], sent: list[Sent]) -> bool:
        """Sends commands, and makes the order durable with them if that is needed; False if another has done it."""
        execution, order = replay.execution, opened.order
        several = len(replay.outstanding) > 1
        entry = _entry(execution, replay, order, due) if several or replay.acts else None
        appends = entry is not None and (replay.acts or bool(entry.dispatched))
        messages = [
            (
                message_for(execution, command, self._hint(replay, order, entry if appends else None, command)),
                command.due,
            )
            for command in due
            if command.kind != "child"
        ]
        sent += messages
        if appends and entry is not None:
            return await self._append(replay, order, entry, messages)
        # The choices have led to nothing, and all commands that were sent are marked: no write.
        if messages:
            await self._queue.send(messages)
            opened.sent.update(command.id for command in due)
        return True

    async def _append(self, replay: Replay, order: Order, entry: OrderEntry, messages: Sequence[Sent] = ()) -> bool:
        """Makes the order durable, and with it what is marked. False if another entry has this number.

        The messages are sent before the entry is written: a command that is marked was sent.
        """
        if not await self._store.append(replay.execution.run_id, entry, messages):
            return False
        order.extend(entry)
        replay.made_durable()
        return True

    def _hint(self, replay: Replay, order: Order, entry: OrderEntry | None, command: Command) -> Hint | None:
        """What the message of a step carries; None for a step whose worker goes on from a replay of its own."""
        if command.kind != "step":
            return None
        name, input, issued_at = command.name, command.input or "null", command.issued_at
        if entry is not None:
            return Hint(name, input, issued_at, entry.number + 1, entry.seal, command)
        if len(replay.outstanding) > 1:
            return Hint(name, input, issued_at, order.revision, command=command)
        if self._lives.follows or command.id in replay.chained or replay.chains(command, self._records_for_a_hop):
            return None
        return Hint(name, input, issued_at, command=command)

    def _unplaced(self, replay: Replay) -> FailsExecution | None:
        """What is wrong with a step or a child that the code waits for and that this deployment cannot run."""
        if replay.finished:
            return None
        if (unknown := self._children.unknown(replay.outstanding.values())) is not None:
            return WorkflowNotDeployed(unknown)
        if self._placement is None:
            return None
        wrong = self._placement.first_wrong(replay.outstanding, replay.records)
        return StepNotDeployed(wrong) if wrong is not None else None

    async def _take_signal(self, snapshot: Snapshot, replay: Replay) -> Record | None:
        """The record of the first wait that a stored signal ends; it names the signal that it took."""
        waits = waits_of(replay)
        if not waits:
            return None
        if not snapshot.has_signals:
            known = replay.arrived.known if replay.arrived is not None else 0
            _hear(replay, await self._store.signals(snapshot.execution.run_id, known))
        for command in waits:
            signal, record = replay.arrived.first_for(command), replay.records.get(command.id)
            if signal is not None:
                return Record(
                    command.id,
                    "signal",
                    command.name,
                    "SUCCEEDED",
                    snapshot.execution.generation,
                    revision=record.revision + 1 if record else 1,
                    output=signal.payload,
                    signal=signal.signal_id,
                    first_at=command.issued_at,
                    ended_at=self._clock.now(),
                )
        return None

    def _due(
        self, snapshot: Snapshot, replay: Replay, order: Order, resend: Resend | None, unmarked: Collection[str]
    ) -> list[Command]:
        """The commands that are outstanding and not under way. unmarked: those that are known to be sent even so."""
        if replay.finished:
            return []
        generation, now = snapshot.execution.generation, self._clock.now()
        sent = order.sent(generation)
        marks = len(replay.outstanding) > 1  # a command that is alone is not marked when it is sent
        sign = last_sign(snapshot, replay) if resend is not None else 0.0
        unpaused_at = snapshot.execution.unpaused_at

        def wanted(command: Command) -> bool:
            if command.kind == "signal":
                return False
            record, claim = replay.records.get(command.id), replay.chained.get(command.id)
            if record is not None and record.generation == generation and record.status != "OPEN":
                if record.recorded:
                    return False
                claimed, until = True, max(record.lease or 0.0, record.due or 0.0)
                claimed_at = record.started_at or 0.0
            else:
                claimed, until = claim is not None, claim.lease if claim else 0.0
                claimed_at = claim.started_at if claim else 0.0
            if unpaused_at is not None and claimed_at < unpaused_at + SKEW:
                claimed = False  # The message of this claim may have come while the execution was PAUSED.
            if resend is None or until > now:
                return not claimed and command.id not in sent and command.id not in unmarked
            if marks and not claimed and command.id not in sent:
                return True
            overdue = now - max(until, command.due or 0.0, sign)
            if not resend.wanted(overdue, after := resend_after(command)):
                return False
            if overdue >= after:
                text = "execution %s: %s is overdue by %.0f s: it is sent again"
                log.warning(text, snapshot.execution.execution_id, command.id, overdue)
            return True

        return [command for command in replay.outstanding.values() if wanted(command)]


def _hear(replay: Replay, signals: Sequence[Signal]) -> None:
    """Adds the signals that have come since the last call, and leaves out those that waits have taken."""
    if replay.arrived is None:
        replay.arrived = Arrived()
    taken, replay.taken_signals = replay.taken_signals, {}
    replay.arrived.add(signals, taken)
    replay.knows_signals = True


def _entry(execution: Execution, replay: Replay, order: Order, due: Sequence[Command]) -> OrderEntry:
    """What the order's log gets: outcomes newly applied, commands newly sent or withdrawn."""
    sent = order.sent(execution.generation)
    return OrderEntry(
        order.revision,
        execution.generation,
        applied=tuple(replay.applied[len(order.applied) :]),
        dispatched=tuple(command.id for command in due if command.id not in sent),
        # Commands that a finished workflow leaves behind are not withdrawn: its end stops them.
        # Others are named even if they are not marked: an advance that died may have sent them without a mark.
        withdrawn=() if replay.finished else tuple(replay.withdrawn),
        seal=secrets.token_hex(4),
    )
