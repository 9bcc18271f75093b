"""Real time for the player: what is due is done when the clock says so, by one thread, between the others' turns."""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from stepfast.functions import logs
from stepfast.simulator.agenda import Agenda, AgendaEntry
from stepfast.simulator.clock import MICRO, WorldClock
from stepfast.simulator.rules import Rules
from stepfast.simulator.world import World

log = logging.getLogger(__name__)


class RealClock(WorldClock):
    """The machine's clock: it goes by itself, and nobody moves it."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))

    @property
    def micros(self) -> int:
        return time.time_ns() // 1000

    @micros.setter
    def micros(self, value: int) -> None:
        """What a simulated clock begins with."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def move_to(self, at: int) -> None: ...
    def skew(self, micros: int) -> None: ...


class RealAgenda(Agenda):
    """Wakes whoever waits for the next entry: a new one may be due before it."""

    def __init__(self, draw: random.Random, news: threading.Condition) -> None:
        super().__init__(draw)
        self._news = news

    def put(self, at: int, act: Callable[[], object], *, idle: bool = False) -> AgendaEntry:
        entry = super().put(at, act, idle=idle)
        self._news.notify_all()
        return entry


class RealWorld(World):
    """A world that goes on by itself between `begin` and `end`.

    Whoever looks at it or changes it holds `turn`: the player's objects, and moto's behind them, know
    nothing of threads. Functions hold it for their calls to AWS only, and run beside each other otherwise.
    """

    def __init__(self, rules: Rules) -> None:
        # Never seed 0: that is the one with which every delay is exactly as in the rules.
        super().__init__(datetime.now(UTC), secrets.randbits(64) | 1, rules)
        self.turn = threading.RLock()
        self.news = threading.Condition(self.turn)
        self.clock = RealClock()
        self.agenda = RealAgenda(self.draw, self.news)
        self.threads: list[threading.Thread] = []
        """Of sandboxes, busy or not."""
        self._ended = False
        self._thread = threading.Thread(target=self._go_on, name="moto-cloud", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Nothing happens any more; whoever waits for something waits in vain."""
        with self.turn:
            self._ended = True
            self.news.notify_all()
        self._thread.join()

    def drive(self, goal: Callable[[], bool], until: int | None = None) -> bool:
        """Waits until the goal is reached, or until this microsecond; False when it was not reached."""
        with self.turn:
            while not goal():
                left = None if until is None else (until - self.clock.micros) / MICRO
                if self._ended or (left is not None and left <= 0):
                    return False
                self.news.wait(left)
            return True

    def _go_on(self) -> None:
        while not self._ended:
            with self.turn:
                self._take_next()
            time.sleep(0)  # a lock is not fair: whoever waits for the turn gets it here

    def _take_next(self) -> None:
        """Does what is due, or waits until something is, with the turn left to others."""
        due = self.agenda.next
        left = None if due is None else (due - self.clock.micros) / MICRO
        if left is None or left > 0:
            if not self._ended:
                self.news.wait(left)
            return
        entry = self.agenda.take()
        try:
            entry.act()
        except Exception as error:
            logs.complain(log, "the played AWS failed", error)  # whatever it was about, the rest goes on
        self.news.notify_all()
