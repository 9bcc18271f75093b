"""Pauses executions with their children, and lets them go on (rule *pause*). Safe to repeat at any time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stepfast.engine import caller
from stepfast.engine.family import children_of, is_paused_with
from stepfast.engine.history import intervention_event
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import existing, require_status, require_untouched
from stepfast.engine.workflow_pauses import HeldStart
from stepfast.errors import WrongStatus
from stepfast.model import Event, Execution, OrderEntry, Snapshot
from stepfast.standing import Intervention


class Pausing:
    """Turns RUNNING executions into PAUSED ones and back."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def pause(self, execution_id: str, why: str | None = None, seen: str | None = None) -> Execution:
        """As Operations.pause. The write has a wake, and the advance that follows pauses the children.

        seen: the mark of the last intervention that must still stand; WrongStatus after another.
        """
        while True:
            execution = existing(await self._store.read(execution_id), execution_id)
            if execution.status == "PAUSED":
                return execution
            require_status(execution, "RUNNING", "paused")
            require_untouched(execution, seen)
            hand = Intervention("pause", self._clock.now(), caller.who(), why)
            if (paused := await self._pause(execution, hand, untouched=seen is not None)) is not None:
                return paused

    async def unpause(self, execution_id: str, why: str | None = None, seen: str | None = None) -> Execution:
        """As Operations.unpause. seen: as of `pause`."""
        while True:
            snapshot = existing(await self._store.load(execution_id, signals=False), execution_id)
            execution = snapshot.execution
            if execution.status == "RUNNING":
                return execution
            require_status(execution, "PAUSED", "unpaused")
            require_untouched(execution, seen)
            parent = await self._paused_parent(execution)
            if parent is not None:
                how = "was paused with" if is_paused_with(execution) else "is a child of the PAUSED"
                raise WrongStatus(
                    f"execution {execution_id!r} {how} {parent.execution_id!r}: unpause that one first",
                    execution.status,
                )
            hand = Intervention("unpause", self._clock.now(), caller.who(), why)
            if (unpaused := await self._unpause(snapshot, hand, untouched=seen is not None)) is not None:
                return unpaused

    async def follow(self, snapshot: Snapshot) -> None:
        """What an advance does for a PAUSED execution: pauses its children, or ends a pause that its parent has ended.

        A child is paused by an advance of its parent, or by its own first advance. Either may come too late, when the
        parent runs again and has looked at its children already. So the child looks at its parent after its pause was
        written: the wake of that write makes sure of it.
        """
        execution = snapshot.execution
        if is_paused_with(execution) and await self._paused_parent(execution) is None:
            await self.release(execution)
        else:
            await self.pause_children(execution, children_of(snapshot))

    async def pause_children(self, parent: Execution, ids: Iterable[str]) -> None:
        """Pauses those of the executions that are RUNNING children of a PAUSED one."""
        for child in await self._store.read_many(list(ids)):
            if child.link is not None and child.is_child and child.link.parent == parent.execution_id:
                await self.pause_with(parent, child)

    async def pause_with(self, parent: Execution, child: Execution) -> None:
        """Pauses a child that is RUNNING, since its parent is PAUSED. Nothing is written for another status."""
        hand, now = parent.intervention, self._clock.now()
        by, why = (hand.by, hand.why) if hand is not None else (None, None)
        while child.status == "RUNNING":
            if await self._pause(child, Intervention("pause", now, by, why, parent.execution_id)) is not None:
                return
            held = await self._store.read(child.execution_id)
            if held is None:
                return
            child = held

    async def release(self, child: Execution) -> None:
        """Ends the pause of a child that was paused with its parent; nothing for one that was paused by itself."""
        while is_paused_with(child):
            snapshot = await self._store.load(child.execution_id, signals=False)
            if snapshot is None or not is_paused_with(snapshot.execution):
                return
            child = snapshot.execution
            hand = child.intervention
            parent = hand.parent if hand is not None else None
            if await self._unpause(snapshot, Intervention("unpause", self._clock.now(), parent=parent)) is not None:
                return

    async def release_held(self, execution_id: str, why: str | None) -> Execution | None:
        """Lets an execution go that was held with its workflow; None if it is held no more.

        A child whose parent is PAUSED is paused with that one from now on, and goes on with it.
        """
        while True:
            snapshot = await self._store.load(execution_id, signals=False)
            held = snapshot.execution if snapshot is not None else None
            if snapshot is None or held is None or held.status != "PAUSED":
                return None
            note = note_of(held)
            if note is None:
                return None
            by, now = caller.who(), self._clock.now()
            parent = await self._paused_parent(held)
            if parent is None:
                if (released := await self._unpause(snapshot, Intervention("unpause", now, by, why), True)) is not None:
                    return released
                continue
            paused = replace(held, intervention=Intervention("pause", now, by, why, parent.execution_id))
            if await self._store.intervene(StatusTurn(held, paused, wake=True, untouched=True)):
                await self._store.workflow_pauses.forget_held(note)
                return paused

    async def _pause(self, execution: Execution, hand: Intervention, untouched: bool = False) -> Execution | None:
        # The status of a read without values is enough: nothing but the status and the intervention changes.
        whole = await self._store.read(execution.execution_id)
        if whole is None or (whole.status, whole.generation) != (execution.status, execution.generation):
            return None
        if untouched and whole.intervention != execution.intervention:
            return None
        after = replace(whole, status="PAUSED", intervention=_after(whole, hand))
        turn = StatusTurn(whole, after, wake=True, untouched=untouched)
        return after if await self._store.intervene(turn) else None

    async def _unpause(self, snapshot: Snapshot, hand: Intervention, untouched: bool = False) -> Execution | None:
        """No message from before counts after it: the entry clears the marks, and an advance sends all anew."""
        execution, cursor = snapshot.execution, snapshot.cursor
        after = replace(execution, status="RUNNING", intervention=_after(execution, hand))
        events: list[Event] = [intervention_event(each) for each in (execution.intervention, hand) if each is not None]
        entry = OrderEntry(cursor.revision, execution.generation, cut=len(cursor.applied))
        turn = StatusTurn(execution, after, entry, events, wake=True, untouched=untouched)
        if not await self._store.intervene(turn):
            return None
        if (note := note_of(execution)) is not None:
            await self._store.workflow_pauses.forget_held(note)  # if a crash comes before, the job does so
        return after

    async def _paused_parent(self, child: Execution) -> Execution | None:
        """The parent of a child, if that is PAUSED."""
        if child.link is None or not child.is_child:
            return None
        parents = await self._store.read_many([child.link.parent])
        return parents[0] if parents and parents[0].status == "PAUSED" else None


def is_held(execution: Execution) -> bool:
    """Whether it is PAUSED because its workflow was paused when it was to begin."""
    return note_of(execution) is not None


def note_of(execution: Execution) -> HeldStart | None:
    """The note of a held execution; None for another."""
    hand = execution.intervention
    if execution.status != "PAUSED" or hand is None or hand.action != "hold":
        return None
    return HeldStart(execution.workflow, execution.execution_id, hand.at)


def _after(execution: Execution, hand: Intervention) -> Intervention:
    """The intervention, which keeps how long the code of a cancelled execution may clean up."""
    before = execution.intervention
    return replace(hand, cleanup=before.cleanup) if before is not None else hand
