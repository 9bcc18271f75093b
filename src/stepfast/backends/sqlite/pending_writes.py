"""A write until it is committed, with what comes of it, and the writes of one turn of an event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class PendingWrite(Generic[T]):
    """What comes of a write.

    run: gets the Transaction of the commit. future: None for a write that nobody waits for, and for one whose writer
    commits it itself.
    """

    run: Callable[[Any], T]
    future: asyncio.Future[T] | None = None
    posted: bool = False
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.future is None or self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Turn(threading.local):
    """The writes that this thread's event loop has gathered, and whether their commit is on its way."""

    def __init__(self) -> None:
        self.writes: list[PendingWrite[Any]] = []
        self.due = False
        self.until = 0.0
        self.connection: sqlite3.Connection | None = None


def settle_all(writes: list[PendingWrite[Any]]) -> None:
    for write in writes:
        write.settle()
