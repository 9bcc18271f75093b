"""A write until it is committed, with what comes of it, and the writes of one turn of an event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from stepfast.backends.sqlite.transaction import Transaction

T = TypeVar("T")


class PendingWrite(ABC, Generic[T]):
    """A write, and what comes of it.

    future: None for a write that nobody waits for, and for one whose writer commits it itself. posted: nobody waits for
    it, and it is tried again after a failure of the file.
    """

    __slots__ = ("error", "future", "posted", "result")
    result: T

    def __init__(self, posted: bool = False) -> None:
        self.future: asyncio.Future[T] | None = None
        self.posted = posted
        self.error: BaseException | None = None

    @abstractmethod
    def run(self, tx: Transaction) -> T:
        """Decides and writes, within the transaction of the commit. May be called again, after a rollback."""

    def outcome(self) -> T:
        """The result of a write that was committed; raises the error of one that was not."""
        if self.error is not None:
            raise self.error
        return self.result


class FunctionWrite(PendingWrite[T]):
    """A write by a function."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[Transaction], T], posted: bool = False) -> None:
        super().__init__(posted)
        self.function = function

    def run(self, tx: Transaction) -> T:
        return self.function(tx)


class LoopTurn:
    """The writes that the event loop of a thread has gathered for the end of its turn.

    loop: the loop, as long as their commit is on its way. until: the time up to which a loop without other work may
    commit without a turn of its own. connection: of this thread, for reading.
    """

    __slots__ = ("connection", "loop", "until", "writes")

    def __init__(self) -> None:
        self.writes: list[PendingWrite[Any]] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self.until = 0.0
        self.connection: sqlite3.Connection | None = None


class OwnTurn(threading.local):
    """The turn of the calling thread's loop."""

    def __init__(self) -> None:
        self.own = LoopTurn()


def settle_all(writes: Sequence[PendingWrite[Any]]) -> None:
    """Tells those who wait for these writes. Called on the loop that the writes came from."""
    for write in writes:
        future = write.future
        if future is None or future.done():
            continue
        if write.error is not None:
            future.set_exception(write.error)
        else:
            future.set_result(write.result)
