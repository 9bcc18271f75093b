"""Brings outcomes from threads to an event loop: of steps, and of requests."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any


class ThreadOutcomes:
    """Settles futures of one loop from any thread. All outcomes that come before its next turn share one wake.

    A wake writes to a pipe, for which the thread gives the interpreter lock away.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._woken = False

    def put(self, future: asyncio.Future[Any], result: Any, error: BaseException | None = None) -> None:
        """Settles a future of the loop with a result or an error, unless it is done by then. Thread-safe."""
        self._waiting.append((future, result, error))
        if self._woken:
            return  # the loop clears the mark before it takes outcomes, so it takes this one
        self._woken = True
        try:
            self.loop.call_soon_threadsafe(self._settle)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    def _settle(self) -> None:
        self._woken = False
        while self._waiting:
            future, result, error = self._waiting.popleft()
            if future.done():  # cancelled meanwhile
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
