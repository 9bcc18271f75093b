"""A store that encrypts what it is given, and opens what it reads (rule *encryption*).

It stands between the engine and the store of a home, and is the one place at which values are encrypted. An execution
has one data key from its start to its deletion. The fingerprint in its item shows whether it has one: an execution that
has begun in the clear stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from stepfast.engine import sealing
from stepfast.engine.data_keys import Keyring
from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.link_store import LinkStore
from stepfast.engine.messages import Message
from stepfast.engine.ports import Commit, Committed, End, NextRun, Store
from stepfast.engine.sealed_parts import SealedLinks, SealedStarts
from stepfast.engine.sealed_reads import KeyFinder, SealedReads, key_id_of
from stepfast.engine.start_items import Hold, TurnedAway
from stepfast.errors import Refused
from stepfast.model import (
    SIGNAL_LIMITS,
    Event,
    Execution,
    Link,
    OrderEntry,
    Record,
    Signal,
    SignalLimits,
    run_of,
)
from stepfast.shown import ShownState
from stepfast.standing import StartInfo
from stepfast.values.encryption import DataKey, KeyId

S = TypeVar("S", bound=Store)

_WRITES = (
    *("begin", "commit", "report", "relink", "note", "show", "append", "finish", "cancel", "rewind", "intervene"),
    *("continue_as_new", "add_signal", "erase"),
)
"""Writes to what exists already."""


class SealedStore(SealedReads[S]):
    """The Store port; and Deltas, where the store below has it."""

    def __init__(self, store: S, keyring: Keyring) -> None:
        super().__init__(store, keyring)
        self.limits, self.schedules, self.audit = store.limits, store.schedules, store.audit
        self.workflow_pauses = store.workflow_pauses
        self.links: LinkStore = SealedLinks(store.links, self._keys)
        self.starts = SealedStarts(store.starts, self._keys)
        if keyring.store is None:
            # No key is set up, so these have nothing to encrypt. The engine writes an execution only after it has read
            # it, and reading an encrypted one is refused.
            for name in _WRITES:
                setattr(self, name, getattr(store, name))

    @property
    def keys(self) -> KeyFinder:
        """Which data keys executions have."""
        return self._keys

    # -- new executions ------------------------------------------------------------------------------------

    async def create(self, execution: Execution) -> Execution:
        key = await self._new_key(execution)
        sealed = _sealed(key, execution)
        try:
            held = await self._store.create(sealed)
        except Refused:
            await self._drop(key)
            raise
        return await self._created(execution, sealed, held, key)

    async def create_in_turn(self, execution: Execution, hold: Hold | None) -> Execution | None:
        key = await self._new_key(execution)
        sealed = _sealed(key, execution)
        try:
            held = await self._store.create_in_turn(sealed, hold)
        except Refused:
            await self._drop(key)
            raise
        if held is None:
            await self._drop(key)
            return None
        return await self._created(execution, sealed, held, key)

    async def fork(self, fork: ForkCopy, children: Sequence[ForkCopy] = ()) -> Execution:
        key = await self._new_key(fork.execution)
        sealed = _sealed_copy(key, fork)
        below = [_sealed_copy(await self._new_key(child.execution), child) for child in children]
        # A call that is repeated may have put some of the children and not others. The keys of those that it has not
        # put stay until the sweep of the key store finds that nobody has them.
        held = await self._store.fork(sealed, below)
        return await self._created(fork.execution, sealed.execution, held, key)

    async def _new_key(self, execution: Execution) -> DataKey | None:
        if not self._ring.encrypts and not await self._is_of_a_sealed(execution):
            return None
        return await self._ring.make(execution.execution_id)

    async def _is_of_a_sealed(self, execution: Execution) -> bool:
        """Whether its parent, or what it is a fork of, is encrypted: what it works on is encrypted already."""
        if self._ring.store is None:
            return False
        above = [execution.link.parent] if execution.link is not None else []
        above += [execution.forked.execution_id] if execution.forked is not None else []
        return bool(above) and any(key_id_of(each) is not None for each in await self._store.read_many(above))

    async def _created(self, new: Execution, sealed: Execution, held: Execution, key: DataKey | None) -> Execution:
        if held is sealed:
            self._keys.has(new.execution_id, new.generation, key)
            return new
        await self._drop(key)
        return self._keys.opened(held)

    async def _drop(self, key: DataKey | None) -> None:
        """Deletes a key that no execution has got."""
        if key is not None:
            await self._ring.destroy([key.id])

    async def fold(self, execution: Execution, start: StartInfo, input: str, turned: TurnedAway | None) -> bool:
        key = await self._key(execution)
        sealed = input if key is None else key.seal(input, "input", str(execution.run))
        away = None if turned is None else await self.starts.sealed(turned)
        return await self._store.fold(execution, start, sealed, away)

    async def begin(self, execution: Execution, start: StartInfo) -> bool:
        return await self._store.begin(execution, start)

    # -- writes of executions ------------------------------------------------------------------------------

    async def _key(self, execution: Execution) -> DataKey | None:
        return await self._keys.for_write(execution.execution_id, execution.generation)

    async def commit(self, run_id: str, commit: Commit) -> Committed:
        execution_id, run = run_of(run_id)
        key = await self._keys.for_write(execution_id, commit.record.generation)
        if key is None:
            return await self._store.commit(run_id, commit)
        shown = commit.shown
        sealed = Commit(
            sealing.seal_record(key, commit.record, run),
            None if commit.end is None else _sealed_end(key, commit.end),
            wake=commit.wake,
            shown=None if shown is None else (shown[0], sealing.seal_shown(key, shown[1])),
        )
        return await self._store.commit(run_id, sealed)

    async def report(self, run_id: str, record: Record, generation: int) -> bool:
        execution_id, run = run_of(run_id)
        key = await self._keys.for_write(execution_id, generation)
        return await self._store.report(
            run_id, record if key is None else sealing.seal_record(key, record, run), generation
        )

    async def relink(self, execution: Execution, link: Link) -> bool:
        key = await self._key(execution)
        if key is None:
            return await self._store.relink(execution, link)
        before = replace(execution, link=sealing.seal_link(key, execution.link))
        return await self._store.relink(before, sealing.seal_link(key, link) or link)

    async def note(self, execution: Execution, progress: str) -> bool:
        key = await self._key(execution)
        sealed = progress if key is None else key.seal(progress, "progress")
        return await self._store.note(execution, sealed)

    async def show(self, execution: Execution, shown: ShownState) -> bool:
        key = await self._key(execution)
        return await self._store.show(execution, shown if key is None else sealing.seal_shown(key, shown))

    async def append(
        self, run_id: str, entry: OrderEntry, messages: Sequence[tuple[Message, float | None]] = ()
    ) -> bool:
        return await self._store.append(run_id, entry, messages)

    async def finish(self, end: End) -> bool:
        key = await self._key(end.execution)
        return await self._store.finish(end if key is None else _sealed_end(key, end))

    async def cancel(self, end: End, records: Sequence[Record], order: int = 0) -> bool:
        key = await self._key(end.execution)
        if key is None:
            return await self._store.cancel(end, records, order)
        return await self._store.cancel(_sealed_end(key, end), _sealed_records(key, records, end.execution.run), order)

    async def rewind(
        self,
        execution: Execution,
        cut: OrderEntry,
        records: Sequence[Record],
        history: Sequence[Event],
        link: Link | None = None,
        hold: Hold | None = None,
    ) -> bool:
        key = await self._key(execution)
        if key is None:
            return await self._store.rewind(execution, cut, records, history, link, hold)
        return await self._store.rewind(
            sealing.seal_execution(key, execution),
            cut,
            _sealed_records(key, records, execution.run),
            [sealing.seal_event(key, event) for event in history],
            sealing.seal_link(key, link),
            hold,
        )

    async def intervene(self, turn: StatusTurn) -> bool:
        key = await self._key(turn.after)
        if key is None:
            return await self._store.intervene(turn)
        sealed = StatusTurn(
            turn.before,
            sealing.seal_execution(key, turn.after),
            turn.entry,
            [sealing.seal_event(key, event) for event in turn.events],
            turn.wake,
        )
        return await self._store.intervene(sealed)

    async def continue_as_new(self, turn: NextRun) -> bool:
        key = await self._key(turn.ended)
        if key is None:
            return await self._store.continue_as_new(turn)
        new, old = sealing.seal_execution(key, turn.execution), sealing.seal_execution(key, turn.ended)
        return await self._store.continue_as_new(replace(turn, execution=new, ended=old))

    async def add_signal(self, execution_id: str, signal: Signal, limits: SignalLimits = SIGNAL_LIMITS) -> Signal:
        key = await self._keys.look_up(execution_id)
        if key is None:
            return await self._store.add_signal(execution_id, signal, limits)
        sealed = sealing.seal_signal(key, signal)
        held = await self._store.add_signal(execution_id, sealed, limits)
        if held is sealed:
            return signal
        return (await self._signals(execution_id, [held]))[0]

    async def erase(self, execution: Execution) -> bool:
        """Deletes the data key once the execution is deleted. If the process dies in between, the sweep does it."""
        if self._ring.store is None:
            return await self._store.erase(execution)
        ids = [id for stored in await self._store.read_many([execution.execution_id]) if (id := key_id_of(stored))]
        erased = await self._store.erase(execution)
        if erased:
            await self._ring.destroy(ids)
        return erased

    # -- keys of what is deleted ---------------------------------------------------------------------------

    async def unused_keys(self, after: str, limit: int, before: float) -> tuple[list[KeyId], str]:
        """Of the keys behind a position those that no execution has, and the position to go on from; "" at the end.

        before: keys that were made later are left out, since their executions may not be written yet.
        """
        if self._ring.store is None:
            return [], ""
        entries, following = await self._ring.store.page(after, limit)
        old = [entry.id for entry in entries if entry.made_at < before]
        held = await self._store.read_many(list(dict.fromkeys(id.execution_id for id in old)))
        used = {key_id_of(stored) for stored in held}
        return [id for id in old if id not in used], following

    async def tidy_keys(self, after: str, limit: int, before: float) -> tuple[int, str]:
        """Destroys keys as of `unused_keys`. Returns how many, and the position to go on from."""
        unused, following = await self.unused_keys(after, limit, before)
        await self._ring.destroy(unused)
        return len(unused), following


def _sealed(key: DataKey | None, execution: Execution) -> Execution:
    return execution if key is None else sealing.seal_execution(key, execution)


def _sealed_copy(key: DataKey | None, copy: ForkCopy) -> ForkCopy:
    if key is None:
        return copy
    return replace(
        copy,
        execution=sealing.seal_execution(key, copy.execution),
        records=tuple(_sealed_records(key, copy.records, copy.execution.run)),
        signals=tuple(sealing.seal_signal(key, signal) for signal in copy.signals),
    )


def _sealed_records(key: DataKey, records: Sequence[Record], run: int) -> list[Record]:
    return [sealing.seal_record(key, record, run) for record in records]


def _sealed_end(key: DataKey, end: End) -> End:
    shown = None if end.shown is None else sealing.seal_shown(key, end.shown)
    return replace(end, execution=sealing.seal_execution(key, end.execution), shown=shown)
