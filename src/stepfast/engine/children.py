"""Starts, reports, and ends children (rules *link*, *report*). Every method is safe to repeat at any time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from stepfast.engine.cancelling import Cancelling
from stepfast.engine.child_ids import child_id, later_child_id, link_of, standing
from stepfast.engine.family import children_of, is_child_of, is_paused_with
from stepfast.engine.messages import Message
from stepfast.engine.pausing import Pausing
from stepfast.engine.ports import Clock, Commit, Queue, Store
from stepfast.engine.queries import ReadOperations
from stepfast.engine.resuming import Resuming
from stepfast.engine.starting import create_above
from stepfast.errors import WrongStatus
from stepfast.language.registry import Registry
from stepfast.language.starts import refusal_of_child
from stepfast.model import (
    ENDED,
    ENDED_FOR_GOOD,
    MAX_CHILD_DEPTH,
    CommandStatus,
    Execution,
    ExecutionStatus,
    Failure,
    Record,
    Snapshot,
)
from stepfast.records import dataclass
from stepfast.replay.commands import Command
from stepfast.replay.replay import Replay

log = logging.getLogger(__name__)

CHILDREN_AT_ONCE = 100
"""Children that one pass of the advancer starts, before it marks them as sent."""


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """A command that asks for a child, and the execution that asks. record: as it is stored."""

    parent: Execution
    command: Command
    record: Record | None

    @property
    def revision(self) -> int:
        return self.record.revision + 1 if self.record is not None else 1

    @property
    def children(self) -> tuple[str, ...]:
        return self.record.children if self.record is not None else ()

    def outcome(self, now: float, error: Failure, foreign: str) -> Record:
        """The record of a child that cannot be started. foreign: an id that turned out to be somebody else's."""
        command = self.command
        return Record(
            command.id,
            "child",
            command.name,
            "FAILED",
            self.parent.generation,
            revision=self.revision,
            attempt=1,
            input=command.input,
            error=error,
            first_at=command.issued_at,
            ended_at=now,
            children=tuple(id for id in self.children if id != foreign),
        )


class Children:
    """The children of the executions in one store. max_depth: executions above a child, at most."""

    def __init__(
        self, store: Store, queue: Queue, clock: Clock, registry: Registry, max_depth: int = MAX_CHILD_DEPTH
    ) -> None:
        self._store, self._queue, self._clock, self._registry = store, queue, clock, registry
        self._max_depth = max_depth
        self.cancelling = Cancelling(store, clock, ReadOperations(store, clock, registry))
        self._resuming, self._pausing = Resuming(store, clock, registry), Pausing(store, clock)

    # -- starting ----------------------------------------------------------------------------------------

    async def dispatch_all(
        self, parent: Execution, replay: Replay, commands: Sequence[Command], *, again: bool
    ) -> None:
        """Starts the children of these commands at the same time; raises what the first failing one raises."""
        if asyncio._get_running_loop() is None:  # a simulation drives this coroutine itself
            for command in commands:
                await self.dispatch(parent, command, replay.records.get(command.id), again)
            return
        calls = [self.dispatch(parent, command, replay.records.get(command.id), again) for command in commands]
        for error in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(error, BaseException):
                raise error

    async def dispatch(self, parent: Execution, command: Command, record: Record | None, again: bool) -> None:
        """Starts the child of a command, or moves the link of the one that is there (rule *link*).

        The durable order asks for the command. record: as the caller knows it, which may be out of date. again: the
        child was most likely started before.
        """
        fresh = record is None and not again
        while True:
            if not fresh:
                peeked = await self._store.peek(parent.run_id, command.id)
                if peeked is None or (peeked[0].status, peeked[0].generation) != ("RUNNING", parent.generation):
                    return
                record = peeked[1]
                if record is not None and record.recorded:
                    return
            if await self._try(ChildRequest(parent, command, record), fresh):
                return
            fresh = False

    async def _try(self, asked: ChildRequest, fresh: bool) -> bool:
        """Starts or takes up the child; False if something has changed since it was read."""
        link = link_of(asked.parent, asked.command)
        if link.depth > self._max_depth:
            text = (
                f"child {asked.command.name!r} would have {link.depth} executions above it: a workflow that starts "
                "itself needs an end; if this depth is intended, raise max_child_depth in [tool.stepfast]"
            )
            return await self._fail(asked, Failure("TooManyLevels", text))
        definition = self._registry.get(asked.command.name)
        if definition is not None and definition.starts is not None:
            return await self._fail(asked, Failure("NotAChild", refusal_of_child(asked.command.name)))
        first = child_id(asked.parent.execution_id, asked.command, asked.parent.run)
        if fresh:
            return await self._start(asked, first)
        free = True
        for id in dict.fromkeys((*reversed(asked.children), first)):
            held = await self._store.read(id)
            stands = None if held is None else standing(held, link, asked.command)
            if held is not None and stands == "ours":
                return await self._take_up(asked, id, held)
            if stands == "newer":
                return True
            if stands == "foreign" and id == first:
                return await self._fail(asked, Failure("ExecutionConflict", _conflict(id)), id)
            free = free and (id != first or held is None)
        if free and not asked.children:
            return await self._start(asked, first)
        # The code now asks for something else than before. The earlier children are ended before another is started.
        await self._end_all(asked.parent.execution_id, asked.command.id, asked.children)
        id = first if free else later_child_id(first, asked.parent.generation)
        held = await self._store.read(id)
        if held is not None and standing(held, link, asked.command) in ("foreign", "other"):
            return await self._fail(asked, Failure("ExecutionConflict", _conflict(id)), id)
        return await self._take_up(asked, id, held) if held is not None else await self._start(asked, id)

    async def _start(self, asked: ChildRequest, id: str) -> bool:
        if not await self._note(asked, id):
            return False
        child = Execution(
            id,
            asked.command.name,
            asked.command.input or "null",
            self._clock.now(),
            link=link_of(asked.parent, asked.command),
        )
        child, held = await create_above(self._store, child)
        return held is child

    async def _note(self, asked: ChildRequest, id: str) -> bool:
        """Writes the child's id into the parent's record, from which whoever ends or deletes the parent finds it."""
        record, command, generation = asked.record, asked.command, asked.parent.generation
        if record is not None and record.generation == generation and record.children[-1:] == (id,):
            return True
        note = Record(
            command.id,
            "child",
            command.name,
            "OPEN",
            generation,
            revision=asked.revision,
            first_at=command.issued_at,
            children=(*(before for before in asked.children if before != id), id),
        )
        return bool(await self._store.commit(asked.parent.run_id, Commit(note, wake=False)))

    async def _take_up(self, asked: ChildRequest, id: str, held: Execution) -> bool:
        """Moves the link of a child to the generation that asks for it now, and sees how the child stands.

        A child that FAILED under an older link is resumed in the write that moves its link. If a crash came between the
        two, the next dispatch would report the old failure instead.
        """
        link, before = link_of(asked.parent, asked.command), held.link
        if before is None or not await self._note(asked, id):
            return False
        if before.generation == link.generation:  # A child that was started keeps what becomes of it.
            link = replace(link, on_cancel=before.on_cancel)
        if is_paused_with(held):
            await self._pausing.release(held)
            held = await self._store.read(id) or held
        if held.status == "FAILED" and (before.generation < link.generation or before.left):
            return (await self._resuming.rewind(id, held.generation, link=link)).cut is not None
        if before != link and not await self._store.relink(held, link):
            return False
        if held.status in ENDED:
            await self.report(id)
        return True

    async def _fail(self, asked: ChildRequest, error: Failure, foreign: str = "") -> bool:
        outcome = asked.outcome(self._clock.now(), error, foreign)
        return await self._store.report(asked.parent.run_id, outcome, asked.parent.generation)

    # -- reporting ---------------------------------------------------------------------------------------

    async def report(self, id: str) -> None:
        """Writes the outcome of a child that has ended into the record of its parent (rule *report*).

        Nothing is written unless the parent waits for this very child in the generation of the link.
        """
        while True:
            child = await self._store.read(id)
            if child is None or child.link is None or child.status not in ENDED:
                return None
            if child.link.left:
                return await self._park(child)
            link = child.link
            peeked = await self._store.peek(link.parent_run, link.command)
            if peeked is None or (peeked[0].status, peeked[0].generation) != ("RUNNING", link.generation):
                return None
            record = peeked[1]
            if record is not None and (record.recorded or record.children[-1:] != (id,)):
                return None
            if await self._store.report(link.parent_run, _outcome(child, record), link.generation):
                return None

    async def _park(self, child: Execution) -> None:
        """Sends the dead letter of a child that has failed while its parent left it: it is a root from then on."""
        if child.status == "FAILED" and child.error is not None and child.error.parked is None:
            await self._queue.send([(Message("park", child.execution_id, "", child.generation, run=child.run), None)])

    # -- ending ------------------------------------------------------------------------------------------

    async def release(self, parent: Execution, replay: Replay) -> None:
        """Cancels or leaves the children that the durable order has taken back (rule *taken back*)."""
        taken_back = replay.withdrawn.children
        for command in list(taken_back.values()):
            known = replay.records.get(command.id)
            peeked = None if known is not None and known.recorded else await self._store.peek(parent.run_id, command.id)
            record = peeked[1] if peeked is not None else None
            if record is not None and not record.recorded:
                await self._end_all(parent.execution_id, command.id, record.children)
                over = replace(
                    record,
                    status="CANCELLED",
                    generation=parent.generation,
                    revision=record.revision + 1,
                    ended_at=self._clock.now(),
                )
                await self._store.report(parent.run_id, over, parent.generation)
            del taken_back[command.id]

    async def settle(self, snapshot: Snapshot) -> None:
        """Cancels or leaves all children that still run of an execution that has ended for good."""
        for record in snapshot.records.values():
            if record.kind == "child" and (record.status == "CANCELLED" or not record.recorded or record.children[1:]):
                await self._end_all(snapshot.execution.execution_id, record.id, record.children)
        if snapshot.execution.intervention is None:
            return
        await self._release_paused(snapshot)

    async def _release_paused(self, snapshot: Snapshot) -> None:
        """Lets the children go on that were paused with an execution that is not PAUSED any more.

        A child that an operator has resumed runs beside a parent that has its outcome, and does not take it up.
        """
        for child in await self._store.read_many(children_of(snapshot)):
            await self._pausing.release(child)

    async def rest(self, snapshot: Snapshot) -> None:
        """What an advance does for a PAUSED execution (rule *pause*)."""
        await self._pausing.follow(snapshot)

    async def rests(self, snapshot: Snapshot) -> bool:
        """Whether a child that was resumed has to rest, since its parent is PAUSED; then it is paused with it.

        If not, the children of an execution that was unpaused go on.
        """
        if await self._rests_with_parent(snapshot.execution):
            return True
        if snapshot.execution.unpaused_at is not None:
            await self._release_paused(snapshot)
        return False

    async def _rests_with_parent(self, child: Execution) -> bool:
        if child.link is None or child.link.left or child.resumed_at is None:
            return False
        parents = await self._store.read_many([child.link.parent])
        if not parents or parents[0].status != "PAUSED":
            return False
        await self._pausing.pause_with(parents[0], child)
        return True

    async def may_not_begin(self, child: Execution) -> bool:
        """Whether nothing is to be done for a child that begins, since its parent has ended, or is PAUSED.

        A child whose parent had ended before it was started is ended. One whose parent is PAUSED is paused with it.
        """
        link = child.link
        if link is None or link.left:
            return False
        parents = await self._store.read_many([link.parent])
        if parents and parents[0].status == "PAUSED":
            await self._pausing.pause_with(parents[0], child)
            return True
        if parents and parents[0].status not in ENDED_FOR_GOOD:
            return False
        if not parents:  # It was deleted, so nothing takes this child along when it expires.
            await self._store.relink(child, replace(link, left=True))
        await self._end(child)
        return link.on_cancel == "cancel"

    async def _end_all(self, parent: str, command: str, ids: Sequence[str]) -> None:
        for child in await self._store.read_many(ids) if ids else ():
            if is_child_of(child, parent, command) and child.is_child:
                await self._end(child)

    async def _end(self, child: Execution) -> None:
        """Cancels a child that runs, or leaves it, as its link says."""
        link = child.link
        if link is None or child.status in ENDED:
            return
        if link.on_cancel == "leave":
            if is_paused_with(child):  # before it is left: nobody looks at it after that
                await self._pausing.release(child)
                child = await self._store.read(child.execution_id) or child
            await self._store.relink(child, replace(link, left=True))
            return
        try:
            await self.cancelling.terminate(child.execution_id, action=None)
        except WrongStatus:
            pass  # It has just ended.

    def unknown(self, commands: Iterable[Command]) -> str | None:
        """What is wrong with the first command that asks for a child of a workflow that is not deployed here."""
        for command in commands:
            if command.child is not None and self._registry.get(command.name) is None:
                known = ", ".join(sorted(self._registry.workflows)) or "none"
                return (
                    f"workflow {command.name!r} is not in this deployment, so it cannot be a child here; there are: "
                    f"{known}. Deploy it together with this workflow, and resume this execution; or, if it is of "
                    "another deployment, start it in a step, with stepfast.Client"
                )
        return None


_OUTCOMES: Mapping[ExecutionStatus, CommandStatus] = {
    "RUNNING": "OPEN",
    "PAUSED": "OPEN",
    "SUCCEEDED": "SUCCEEDED",
    "FAILED": "FAILED",
    "CLOSED": "FAILED",
    "CANCELLED": "CANCELLED",
}
"""The status of the parent's command, by the status of the child."""


def _outcome(child: Execution, record: Record | None) -> Record:
    """The parent's record of a child that has ended."""
    assert child.link is not None
    error = child.error
    if child.status == "CANCELLED":
        error = Failure("ExecutionCancelled", f"execution {child.execution_id!r} was cancelled")
    return Record(
        child.link.command,
        "child",
        child.workflow,
        _OUTCOMES[child.status],
        child.link.generation,
        revision=record.revision + 1 if record is not None else 1,
        attempt=1,
        input=child.input if child.run == 1 else None,
        output=child.result,
        error=replace(error, parked=None) if error is not None else None,
        first_at=(record.first_at if record is not None else None) or child.created_at,
        started_at=child.created_at,
        ended_at=child.ended_at,
        children=record.children if record is not None else (child.execution_id,),
    )


def _conflict(id: str) -> str:
    return (
        f"execution {id!r} exists and was not started by this call of child(); give the child another id, or delete "
        "that execution, and resume this one"
    )
