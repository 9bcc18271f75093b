"""What an advancer remembers of long executions, so that a pass costs no more with their length (rule *memory*).

A pass that goes by memory reads one small item and takes in the records that have woken it. The memory is a hint: all
that a pass acts on are recorded outcomes, and an entry that another advancer has appended refuses its own.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from stepfast.engine.opening import OpenedReplay
from stepfast.engine.replay_cache import Live, LiveReplays
from stepfast.model import Cursor, Record, Signal, Snapshot
from stepfast.records import dataclass
from stepfast.replay.replay import Replay

LONG = 20
"""Records and outstanding commands from which on an execution is remembered; a shorter one is read for less."""


KNOWN = 10_000
"""Executions at most of which a process knows that they are long."""


@dataclass(frozen=True, slots=True)
class News:
    """Why an execution is to be advanced: the records and signals that were written with a wake, each at least once.

    whole: False where something else was written, too, so that the execution is to be read in any case. reports: True
    where that was the end of an execution without children that may run: at most its parent gets a report. own: True
    where the pass that goes on has written these records itself.
    """

    records: Sequence[Record] = ()
    signals: Sequence[Signal] = ()
    whole: bool = True
    reports: bool = False
    own: bool = False

    def of(self, replay: Replay) -> dict[str, Record] | None:
        """The records that this replay does not have yet; None where it does not wait for them: it has missed some."""
        if not self.whole:
            return None
        if any(signal.run != replay.execution.run for signal in self.signals):
            return None  # An earlier run may have taken it, or this replay is of an earlier run.
        fresh: dict[str, Record] = {}
        for record in self.records:
            known = replay.records.get(record.id)
            if known is not None and known.revision >= record.revision:
                continue
            if record.kind == "update":
                fresh[record.id] = record  # the replay has answered it, or is about to
                continue
            if record.id not in replay.outstanding or record.generation != replay.execution.generation:
                return None
            fresh[record.id] = record
        return fresh


class Holders(Protocol):
    """An optional port, for a store whose advancers run in many processes: which of them holds the memory."""

    async def holder(self, execution_id: str) -> str:
        """The token that `hold` has written last; "" where it has written none."""

    async def hold(self, execution_id: str, token: str) -> None:
        """Writes a token, in the place of the one before it."""


class Memory:
    """The long executions of one process. News come to one process at a time, but not always to the same.

    Thread-safe, as long as news of one execution come to one thread at a time.
    A process that is to remember an execution writes a new token first, and reads everything then. A process that gets
    news and does not go by memory does the same, if a memory stands. So while a token stands, all news since then have
    come to the memory that bears it.
    """

    def __init__(self, holders: Holders, lives: LiveReplays, long: int = LONG) -> None:
        self._holders, self._lives, self._least = holders, lives, long
        self._long: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    async def recall(self, execution_id: str, news: News) -> OpenedReplay | str:
        """The replay that is remembered, with a snapshot of the news alone; or the token of the memory to be made.

        With a token everything is to be read. It is "" where nothing is to be remembered.
        """
        live = self._lives.take(execution_id)
        if live is not None and not (live.token or news.own):
            self._lives.put(execution_id, live)  # not remembered, but whoever reads everything can go on with it
        elif live is not None:
            fresh = news.of(live.replay)
            if fresh is not None and (news.own or await self._holders.holder(execution_id) == live.token):
                return self._opened(live, fresh, news)
            live.replay.close()
        if execution_id not in self._long:
            return ""
        token = secrets.token_hex(8)
        await self._holders.hold(execution_id, token)
        return token

    def voids(self, execution_id: str, snapshot: Snapshot) -> bool:
        """Whether a pass that has news, and has read this without a token, starts again, with a token.

        A memory of another process stands. It has not got these news, and would wait for them.
        """
        if not snapshot.holder:
            return False
        self._know(execution_id)
        return True

    def forget(self, execution_id: str) -> None:
        """Drops the memory of an execution: news of it may have been lost on the way."""
        live = self._lives.take(execution_id)
        if live is not None:
            live.replay.close()

    def _opened(self, live: Live, fresh: dict[str, Record], news: News) -> OpenedReplay:
        execution, known = live.replay.execution, live.replay.knows_signals
        snapshot = Snapshot(
            execution,
            Cursor(generation=execution.generation, revision=live.order.revision),
            fresh,
            tuple(news.signals) if known else (),
            has_signals=known,
        )
        kept = Live(live.replay, live.order, None, token=live.token, sent=live.sent, settled=live.settled)
        return OpenedReplay(self._lives, snapshot, kept, True)

    def remember(self, execution_id: str, live: Live, token: str) -> None:
        """Has later passes go by memory, if the execution is long.

        token: as `recall` has returned it; "" if it has returned a replay.
        """
        live.token = live.token or token
        replay = live.replay
        if len(replay.records) + len(replay.outstanding) >= self._least and not replay.finished:
            self._know(execution_id)
        else:
            with self._lock:
                self._long.pop(execution_id, None)

    def _know(self, execution_id: str) -> None:
        with self._lock:
            self._long[execution_id] = None
            self._long.move_to_end(execution_id)
            if len(self._long) > KNOWN:
                self._long.popitem(last=False)
