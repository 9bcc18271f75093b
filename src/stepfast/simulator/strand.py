"""Threads that take turns: of all strands and the main thread, one runs at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Strand:
    """A thread that runs only while it was handed the turn, and hands it back itself."""

    def __init__(self, name: str, body: Callable[[], None]) -> None:
        self._body = body
        self._mine, self._theirs = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._theirs.acquire()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.ended = False
        self._thread.start()

    def _run(self) -> None:
        self._mine.acquire()
        try:
            self._body()
        finally:
            self.ended = True
            self._theirs.release()

    def go_on(self) -> None:
        """Hands the turn to the strand; returns when it hands it back, or has ended."""
        self._mine.release()
        self._theirs.acquire()
        if self.ended:
            self._thread.join()

    def hand_back(self) -> None:
        """Called by the strand itself; returns when it gets the turn again."""
        self._theirs.release()
        self._mine.acquire()
