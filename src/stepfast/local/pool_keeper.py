"""A thread that keeps one process of a pool running: it starts it, hands it calls, and replaces it when it has died."""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import suppress
from multiprocessing import Pipe
from typing import Protocol

from stepfast.local.pool_calls import PoolCall, ProcessDied
from stepfast.local.pool_child import PoolChild
from stepfast.local.pool_messages import CallBeat, CallDone, FromProcess, Key, PoolLog, PoolReady, PoolSetup, StopStep

log = logging.getLogger(__name__)

BACKOFF_SECONDS = 0.5
"""The wait before a process is started anew whose predecessor has died without ending a call; doubled each time."""
LONGEST_BACKOFF_SECONDS = 30.0
END_SECONDS = 2.0
"""The time that an idle process has to end when the server stops."""


class CallQueue(Protocol):
    """What a keeper needs of its pool."""

    name: str

    def next_for(self, keeper: ProcessKeeper) -> PoolCall | None:
        """The call that has waited longest; None if none waits, and then the keeper is idle and gets the next call."""

    def leave(self, keeper: ProcessKeeper) -> None:
        """The keeper has no process at the moment: it is idle no more."""

    def put_back(self, call: PoolCall) -> None:
        """A call that has not reached a process waits again, before all others."""

    def took(self, seconds: float) -> float:
        """Notes the time of a call. Returns when to deliver its end, by time.monotonic(); 0 means at once.

        While calls are in line for every process, all ends of a moment are delivered together.
        """

    def found(self, steps: frozenset[Key]) -> None:
        """The steps that a process has found."""


class ProcessKeeper:
    """Keeps one process."""

    def __init__(self, pool: CallQueue, setup: PoolSetup, number: int) -> None:
        self._pool, self._setup = pool, setup
        self._bell, self._ringer = Pipe(duplex=False)
        self._rung = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._handed: PoolCall | None = None
        self._child: PoolChild | None = None
        self._call: PoolCall | None = None
        self._told: str | None = None
        self._ended = False
        """Whether the server has ended the process."""
        self._useless = 0
        """Processes in a row that have died without ending a call."""
        self._thread = threading.Thread(target=self._keep, name=f"stepfast-pool-{pool.name}-{number}", daemon=True)
        self._thread.start()

    # -- from any thread ------------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """The id of the process; None if there is none at the moment."""
        child = self._child
        return None if child is None else child.pid

    def hand(self, call: PoolCall) -> None:
        """Gives an idle keeper a call."""
        self._handed = call
        self.ring()

    def ring(self) -> None:
        """Has the keeper look at its calls again."""
        with self._lock:
            if not self._rung and not self._ringer.closed:
                self._rung = True
                self._ringer.send_bytes(b"")

    def end(self, call: PoolCall) -> bool:
        """Ends the process if it runs this call. Returns whether it does."""
        with self._lock:
            if self._call is not call or self._child is None:
                return False
            self._ended = True
            self._child.kill()
            return True

    def close(self) -> None:
        """Asks the process to end, without waiting for it."""
        self._closing.set()
        self.ring()

    def join(self, patience: float) -> None:
        """Waits up to `patience` seconds for the end of the process, then ends it."""
        self._thread.join(patience)
        if self._thread.is_alive() and (child := self._child) is not None:
            child.kill()
            self._thread.join(patience)

    # -- on the keeper's thread -----------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._closing.is_set():
            try:
                self._keep_process()
            except Exception:
                log.exception("pool %r: a process could not be kept", self._pool.name)
            self._closing.wait(self._backoff())
        with self._lock:
            self._ringer.close()
            self._bell.close()

    def _backoff(self) -> float:
        """Seconds until the next process is started: none, unless two in a row have died without ending a call."""
        if self._useless < 2:
            return 0.0
        return float(min(LONGEST_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (self._useless - 2)))

    def _keep_process(self) -> None:
        """Starts a process and keeps it until it has ended."""
        self._useless += 1
        self._ended = False
        child = self._child = PoolChild(self._setup)
        try:
            if self._is_ready(child):
                self._serve(child)
        except EOFError:
            pass
        finally:
            code = child.reap(END_SECONDS)
            self._pool.leave(self)
            with self._lock:
                self._child, call, self._call = None, self._call, None
                handed, self._handed = self._handed, None
            if handed is not None:
                self._pool.put_back(handed)
            self._explain(f"process {child.pid} of pool {self._pool.name!r} {child.cause_of(code)}", call)

    def _explain(self, death: str, call: PoolCall | None) -> None:
        """Logs the death of a process, unless it was wanted, and delivers it to the call that it ran."""
        if self._ended:
            self._useless = 0
        elif not self._closing.is_set():
            wait = self._backoff()
            log.error("%s; another is started %s", death, f"in {wait:g} s" if wait else "now")
        if call is not None:
            call.deliver(ProcessDied(f"the {death}"))

    def _is_ready(self, child: PoolChild) -> bool:
        """Waits until the process has imported the code. Returns False if it is to end before."""
        while not self._closing.is_set():
            message = self._message(child, None)
            if isinstance(message, PoolReady):
                self._pool.found(message.steps)
                return True
        child.kill()  # It imports code: it reads nothing, and has run nothing.
        return False

    def _serve(self, child: PoolChild) -> None:
        """Hands calls to the process until it is asked to end. Raises EOFError when it has died."""
        while True:
            if self._call is None:
                self._begin_next(child)
            call = self._call
            if call is None and self._closing.is_set():
                child.send(None)
                return
            if call is not None and call.stopped != self._told:
                self._told = call.stopped
                child.send(StopStep(call.request.number, self._told))
            message = self._message(child, call)
            if isinstance(message, CallDone) and call is not None and message.number == call.request.number:
                self._useless = 0
                call.pulse.progress = message.progress or call.pulse.progress
                seconds = time.monotonic() - (call.began_at or 0.0)
                try:
                    self._begin_next(child)  # first, so that the process has no pause
                finally:
                    call.deliver(message, self._pool.took(seconds))
            elif isinstance(message, CallBeat) and call is not None and message.number == call.request.number:
                call.pulse.beaten = True
                call.pulse.progress = message.progress or call.pulse.progress

    def _begin_next(self, child: PoolChild) -> None:
        """Sends the next call, if one waits, and makes it the current call."""
        with self._lock:
            self._call = None
            if self._ended:
                raise EOFError
            call, self._handed = self._handed, None
        if self._closing.is_set() and call is None:
            return
        call = call or self._pool.next_for(self)
        if call is None:
            return
        with self._lock:
            self._call, self._told = call, None
        if not child.send(call.begin()):
            with self._lock:
                self._call = None
            call.wait_again()
            self._pool.put_back(call)
            raise EOFError

    def _message(self, child: PoolChild, call: PoolCall | None) -> FromProcess | None:
        """The next message of the process that is no log record. None if there is something else to do.

        Raises EOFError when the process has died, and ends it if the time of its call is over.
        """
        left = math.inf if call is None else max(0.0, call.end_at - time.monotonic())
        ready = child.wait([self._bell], None if left == math.inf else left)
        if self._bell in ready:
            with self._lock:
                self._rung = False
            self._bell.recv_bytes()
        if call is not None and call.end_at <= time.monotonic():
            call.end_at = math.inf
            self.end(call)
        if child not in ready:
            return None
        message = child.receive()
        if not isinstance(message, PoolLog):
            return message
        record = logging.makeLogRecord(dict(message.attributes))
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            with suppress(Exception):  # A filter of the program has failed: that must not end the process.
                logger.handle(record)
        return None
