"""The work of the embedded runtime, in memory: messages by due time, and executions to advance. Worker threads pull it.

One thread is the *leader* and takes all the work. A single thread that gathers the writes of all executions is faster
than two threads that wait for each other's commits and for CPython's interpreter lock. All `async` steps run on the
leader's event loop, so that they can share asyncio's clients, pools and locks, which belong to one loop. The other
threads take work only while the leader is blocked or full. The file holds the same work, so losing the inbox in a
crash loses nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from stepfast.engine.embedded import Stored
from stepfast.engine.resending import Resend
from stepfast.replay.determinism import plain_monotonic

LEADER_STALL_SECONDS = 0.5
"""The time without a turn of the leader's loop after which other threads take work as well.

On a busy machine a thread may wait this long for a processor. With a shorter time, other threads would take messages of
`async` steps, only to hand them back to the leader.
"""
STANDBY_LOOK_SECONDS = 0.1
"""The wait of a standby thread between two looks while work is due."""
STALE_ENTRIES_KEPT = 1000
"""Entries of dropped messages from which on they are removed together, so that none waits for years in memory."""
IDLE_POLL_SECONDS = 1.0
"""The longest wait of an idle thread between two looks."""


@dataclass(frozen=True, slots=True, eq=False)
class Advance:
    """An execution to advance, for its wakes up to number `seq` (0: no wake). resend: set by the sweep, see Resend."""

    execution_id: str
    seq: int
    resend: Resend | None = None


@dataclass(slots=True, eq=False)
class Bell:
    """Wakes the loop of one worker, from any thread. It also holds what the inbox knows of that worker."""

    loop: asyncio.AbstractEventLoop
    event: asyncio.Event
    waiting: bool = False
    full: bool = False
    turned_at: float = field(default_factory=plain_monotonic)

    def ring(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self.event.set)
        except RuntimeError:
            pass  # The loop is closed because its worker has stopped. The other workers poll.

    def stands_still(self) -> bool:
        return self.full or (not self.waiting and plain_monotonic() - self.turned_at > LEADER_STALL_SECONDS)


class _Messages:
    """Messages by due time. Each message is held at most once, with its earliest time. Not thread-safe."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Stored]] = []
        self._at: dict[int, float] = {}

    def put(self, stored: Stored, at: float) -> None:
        held = self._at.get(stored.seq)
        if held is None or at < held:
            self._at[stored.seq] = at
            heapq.heappush(self._heap, (at, stored.seq, stored))

    def drop(self, seq: int) -> None:
        self._at.pop(seq, None)
        if len(self._heap) > 2 * len(self._at) + STALE_ENTRIES_KEPT:
            self._heap = [entry for entry in self._heap if self._at.get(entry[1]) == entry[0]]
            heapq.heapify(self._heap)

    def due_at(self, seq: int) -> float | None:
        return self._at.get(seq)

    def first_at(self) -> float:
        """The due time of the first message; infinity if there is none."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            # The entry is stale: its message was dropped, or put again for an earlier time.
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else float("inf")

    def pop(self) -> Stored:
        """Removes and returns the first message. Call `first_at` before: it removes stale entries from the top."""
        _, seq, stored = heapq.heappop(self._heap)
        del self._at[seq]
        return stored


class Inbox:
    """The work to do. Thread-safe. One worker at a time advances an execution, and a message waits at most once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._anywhere, self._for_leader = _Messages(), _Messages()
        self._wakes: dict[str, tuple[int, Resend | None]] = {}
        self._to_advance: deque[str] = deque()
        self._advancing: dict[str, Advance] = {}
        self._following: dict[str, Stored] = {}
        self._waiting: deque[Bell] = deque()
        self._leader: Bell | None = None
        self._closed = False

    # -- the leader ------------------------------------------------------------------------------------------

    def lead(self, bell: Bell) -> None:
        """Makes this worker the leader."""
        with self._lock:
            if self._leader is bell:
                return
            self._leader = bell
            if bell in self._waiting:
                self._waiting.remove(bell)
                bell.waiting = True
        bell.ring()

    def leads(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this is the leader's loop, on which `async` steps run."""
        leader = self._leader
        return leader is not None and leader.loop is loop

    def close(self) -> None:
        """From now on `take` returns nothing."""
        with self._lock:
            self._closed = True

    # -- putting ---------------------------------------------------------------------------------------------

    def put_message(self, stored: Stored, at: float | None = None, *, for_leader: bool = False) -> None:
        """Adds a message, which can be taken from its due time or from `at` on.

        A message that waits already keeps the earlier of both times. for_leader: only the leader may take it.
        """
        hint = stored.delivery.message.hint
        if (
            hint is not None
            and hint.command is not None
            and hint.command.step is not None
            and hint.command.step.is_async
        ):
            for_leader = True
        with self._lock:
            if hint is None and at is None and self._follows(stored):
                return
            messages = self._for_leader if for_leader else self._anywhere
            messages.put(stored, stored.due if at is None else at)
            bell = self._bell()
        if bell is not None:
            bell.ring()

    def _follows(self, stored: Stored) -> bool:
        """Keeps the message of a step that is due, and alone, for whoever advances its execution."""
        message = stored.delivery.message
        id = message.execution_id
        if message.kind != "step" or id not in self._advancing or id in self._following:
            return False
        if stored.due > stored.delivery.sent_at:
            return False
        self._following[id] = stored
        return True

    def drop_message(self, seq: int) -> None:
        """Removes a message whose outcome has been written."""
        with self._lock:
            self._anywhere.drop(seq)
            self._for_leader.drop(seq)
            for id in [id for id, stored in self._following.items() if stored.seq == seq]:
                del self._following[id]

    def put_wake(self, execution_id: str, seq: int, resend: Resend | None = None) -> None:
        """Asks for an advance. While an advance of this execution runs, another one follows it."""
        with self._lock:
            known = self._wakes.get(execution_id)
            self._wakes[execution_id] = (max(seq, known[0]), resend or known[1]) if known else (seq, resend)
            if known is not None or execution_id in self._advancing:
                return
            self._to_advance.append(execution_id)
            bell = self._bell()
        if bell is not None:
            bell.ring()

    def advanced(self, advance: Advance) -> Stored | None:
        """Ends an advance. A wake that has arrived meanwhile leads to another advance.

        This has no effect for an advance that was given back. Returns the message of the only step that it has sent:
        the caller has it in hand now, and handles it at once.
        """
        with self._lock:
            return self._settle(advance)

    def give_back(self, advance: Advance) -> None:
        """Lets another thread do an advance whose own thread is blocked."""
        with self._lock:
            mine = self._advancing.get(advance.execution_id) is advance
            if (following := self._settle(advance)) is not None:
                self._anywhere.put(following, following.due)
        if mine:
            self.put_wake(advance.execution_id, advance.seq, advance.resend)

    def _settle(self, advance: Advance) -> Stored | None:
        if self._advancing.get(advance.execution_id) is not advance:
            return None
        del self._advancing[advance.execution_id]
        if advance.execution_id in self._wakes:
            self._to_advance.append(advance.execution_id)
        return self._following.pop(advance.execution_id, None)

    def _bell(self) -> Bell | None:
        """The worker to wake for new work: the leader if it waits, another if the leader is blocked, or None."""
        leader = self._leader
        if leader is not None and leader.waiting:
            leader.waiting = False
            return leader
        if self._waiting and (leader is None or leader.stands_still()):
            return self._waiting.popleft()
        return None

    # -- taking ----------------------------------------------------------------------------------------------

    def take(self, bell: Bell, now: float, most: int) -> list[Advance | Stored]:
        """What this worker can begin at once: the leader at most `most` advances and messages, another thread one.

        Empty if nothing is due, or another thread should take it.
        """
        taken: list[Advance | Stored] = []
        with self._lock:
            bell.turned_at, bell.full, bell.waiting = plain_monotonic(), False, False
            leads = bell is self._leader
            if self._closed or not (leads or self._leader is None or self._leader.stands_still()):
                return taken
            room = most if leads else 1
            while self._to_advance and len(taken) < room:
                execution_id = self._to_advance.popleft()
                advance = self._advancing[execution_id] = Advance(execution_id, *self._wakes.pop(execution_id))
                taken.append(advance)
            while len(taken) < room:
                messages, at = self._anywhere, self._anywhere.first_at()
                if leads and (first := self._for_leader.first_at()) < at:
                    messages, at = self._for_leader, first
                if at > now:
                    break
                taken.append(messages.pop())
        return taken

    def wait(self, bell: Bell, now: float) -> float:
        """Registers an idle worker. Returns the seconds until it should look again, at most IDLE_POLL_SECONDS."""
        with self._lock:
            if self._closed:
                return IDLE_POLL_SECONDS
            at = self._anywhere.first_at()
            if bell is self._leader:
                at = min(at, self._for_leader.first_at())
                if self._to_advance:
                    return 0.0
                bell.waiting = True
                return min(IDLE_POLL_SECONDS, max(0.0, at - now))
            if bell not in self._waiting:
                self._waiting.append(bell)
            # The leader takes due work. If it is blocked instead, this worker finds the work at its next look.
            return (
                min(IDLE_POLL_SECONDS, max(STANDBY_LOOK_SECONDS, at - now))
                if not self._to_advance
                else STANDBY_LOOK_SECONDS
            )

    def busy(self, bell: Bell) -> None:
        """Notes that this worker has as much in hand as it may have, so that other threads take work as well."""
        with self._lock:
            bell.turned_at, bell.full, bell.waiting = plain_monotonic(), True, False

    # -- looking ---------------------------------------------------------------------------------------------

    def waits_until(self, seq: int) -> float | None:
        """The time from which a waiting message can be taken; None if it does not wait here."""
        with self._lock:
            times = [at for messages in (self._anywhere, self._for_leader) if (at := messages.due_at(seq)) is not None]
            times += [stored.due for stored in self._following.values() if stored.seq == seq]
        return min(times, default=None)

    def lacks_wakes(self, execution_ids: Iterable[str]) -> set[str]:
        """The executions for which no advance is requested or under way."""
        with self._lock:
            return {
                execution_id
                for execution_id in execution_ids
                if execution_id not in self._wakes and execution_id not in self._advancing
            }
