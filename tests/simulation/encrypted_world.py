"""A simulated family of encrypted executions that are forked and deleted. The key store is killed with the rest.

The engine stands on a SealedStore, and that on the ports with their crash points, as does the key store. So a start may
die between its data key and its execution, and a deletion between its execution and its data key.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from stepfast.engine.advancer import Advancer
from stepfast.engine.data_keys import YOUNG_SECONDS, KeyEntry, Keyring
from stepfast.engine.operations import Operations
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.sealed_reads import key_id_of
from stepfast.engine.sealed_store import SealedStore
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import AttemptCall, Ended
from stepfast.engine.timer_handler import TimerHandler
from stepfast.engine.worker import Worker
from stepfast.errors import Unavailable
from stepfast.model import Execution
from stepfast.testing.memory import finished
from stepfast.values.encryption import DATA_KEY_BYTES, KeyId, key_of
from tests.simulation.family_watch import ROOT
from tests.simulation.family_world import Ports
from tests.simulation.fork_world import ForkingWorld
from tests.simulation.machines import point

MARK = "nobody-may-read-this"
TEXTS = (("executions", "input"), ("executions", "result"), ("commands", "input"), ("commands", "output"))
DAY = 86400.0


class KeyStore:
    """The key store: it keeps what is written, whatever dies, and every call of it is a place to die at."""

    def __init__(self, world: EncryptedWorld) -> None:
        self._world = world
        self.held: dict[KeyId, KeyEntry] = {}

    async def put(self, entry: KeyEntry) -> None:
        await self._point("key")
        self.held[entry.id] = entry
        await self._point("key done")

    def get(self, id: KeyId) -> str | None:
        return self.held[id].wrapped if id in self.held else None

    async def destroy(self, ids: Sequence[KeyId]) -> None:
        await self._point("destroy")
        for id in ids:
            self.held.pop(id, None)
        await self._point("destroy done")

    async def page(self, after: str, limit: int) -> tuple[Sequence[KeyEntry], str]:
        await self._point("keys")
        return list(self.held.values()), ""

    def close(self) -> None:
        """Nothing is open."""

    async def _point(self, what: str) -> None:
        await point(what)
        if self._world.random.random() < self._world.unavailable:
            raise Unavailable(f"the key store: {what}")


class Master:
    """Wraps a key by writing it down: what wraps keys is no part of this."""

    def make(self, id: KeyId) -> tuple[bytes, str]:
        key = secrets.token_bytes(DATA_KEY_BYTES)
        return key, key.hex()

    def unwrap(self, id: KeyId, wrapped: str) -> bytes:
        return bytes.fromhex(wrapped)


class EncryptedWorld(ForkingWorld):
    """seen: how many texts were found encrypted. destroyed: how many keys were."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.key_store = KeyStore(self)
        self.seen = self.destroyed = self.tidied = 0
        super().__init__(workflow, seed)
        self.deleting = 2 * (seed % 2)

    def _open(self) -> None:
        super()._open()
        self.backend.on_erased = self._erased

    def _erased(self, erased: Sequence[tuple[str, str]]) -> None:
        """Children that go with their parent: their keys are destroyed in the same moment."""
        for execution_id, sent in erased:
            id = key_of(execution_id, sent)
            if id is not None and "." in execution_id:  # whoever deletes the parent destroys the parent's key
                self.destroyed += self.key_store.held.pop(id, None) is not None

    def _machine(self) -> tuple[Advancer, Worker, Operations]:
        ports: Any = EncryptedPorts(self)
        store: Any = SealedStore(ports, Keyring(self.clock, self.key_store, Master()))
        lives = LiveReplays(deltas=store)
        advancer = Advancer(store, ports, self.clock, self.registry, lives)
        draw = random.Random(self.random.random())
        worker = Worker(
            StepHandler(store, ports, self.clock, self.registry, self, draw, lives=lives),
            TimerHandler(store, ports, self.clock),
            ParkHandler(store, self.clock, self.registry),
        )
        self._sealed = store
        return advancer, worker, Operations(store, self.clock, self.registry, advancer)

    async def _start(self) -> None:
        await self._engine()[2].start(self.workflow, MARK, ROOT)

    async def run(self, call: AttemptCall) -> Ended:
        ended = await super().run(call)
        return ended if ended.error is not None else Ended([MARK, ended.value])

    # -- what must hold --------------------------------------------------------------------------------------

    def members(self) -> list[Execution]:
        """All executions, opened by a reader of its own."""
        opened = SealedStore(self.backend, Keyring(self.clock, self.key_store, Master()))
        held = super().members()
        for member in held:
            id = key_id_of(member)
            if id is None:
                self.watch.violated("nothing-is-in-the-clear", f"{member.execution_id} has no key")
            elif id not in self.key_store.held:
                self.watch.violated("a-living-one-keeps-its-key", member.execution_id)
        return [each for member in held if (each := finished(opened.read(member.execution_id))) is not None]

    def look(self) -> None:
        """Reads the file as somebody does who has stolen it."""
        for table, column in TEXTS:
            rows = self.file._db.execute(
                f"SELECT t.execution_id, t.{column}, e.sent FROM {table} t JOIN executions e USING (execution_id)"
            )
            for execution_id, text, sent in rows:
                if isinstance(text, str) and (key := key_of(execution_id, text)) is not None:
                    self.seen += 1
                    if key != key_of(execution_id, sent):
                        self.watch.violated("each-has-a-key-of-its-own", f"{execution_id}: {table}.{column}")
        if MARK in "\n".join(self.file._db.iterdump()):
            self.watch.violated("nothing-is-in-the-clear", "a value stands in the file")

    def last_look(self) -> None:
        """Once all has ended and the sweep has come by, the key store has the keys of what there is, and no other."""
        self.look()
        used = {key_id_of(each) for each in ForkingWorld.members(self)}
        self.now += DAY
        tidying = self._sealed.tidy_keys("", 1000, self.now - YOUNG_SECONDS)
        self.unavailable = 0.0
        before = len(self.key_store.held)
        try:
            while True:
                tidying.send(None)
        except StopIteration:
            self.tidied += before - len(self.key_store.held)
        left = self.key_store.held.keys() - used
        if left:
            self.watch.violated("a-deleted-one-is-unreadable", f"its key is still there: {left}")
        if used - self.key_store.held.keys():
            self.watch.violated("a-living-one-keeps-its-key", f"of {used}, {self.key_store.held.keys()} are left")

    # -- what befalls it -------------------------------------------------------------------------------------

    def _from_outside(self) -> list[Callable[[], object]]:
        choices = super()._from_outside()
        if self.random.random() < 0.2:
            choices.append(lambda: self._spawn("tidy", self._tidy()))
        if self.random.random() < 0.2:
            choices.append(self.look)
        return choices

    async def _tidy(self) -> None:
        await self._sealed.tidy_keys("", 1000, self.now - YOUNG_SECONDS)

    async def _delete(self, execution_id: str) -> None:
        """Whoever is told that it is deleted knows that its key is gone."""
        held = await self.backend.read(execution_id)
        id = None if held is None else key_id_of(held)
        await super()._delete(execution_id)
        now = await self.backend.read(execution_id)
        if id in self.key_store.held and (now is None or key_id_of(now) != id):
            self.watch.violated("a-deleted-one-is-unreadable", f"{execution_id} is deleted, and its key is not")
        self.destroyed += id is not None


class EncryptedPorts(Ports):
    """The ports with those of their parts that a SealedStore takes by themselves."""

    def __init__(self, world: EncryptedWorld) -> None:
        super().__init__(world)
        backend: Any = world.backend
        self.reader, self.limits, self.schedules = backend.reader, backend.limits, backend.schedules
        self.starts = Ports(world, backend.starts)
