"""The simulated world: one clock, one agenda, one thing happening at a time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import datetime

from stepfast.simulator.account import Account
from stepfast.simulator.agenda import Agenda, AgendaEntry
from stepfast.simulator.clock import WorldClock, micros
from stepfast.simulator.rules import Rules

QUIET = 4
"""Idle entries in a row, such as sweeps, that lead to nothing: then nothing will come any more."""


class World:
    """Takes what is due, in order of time; `progress` counts what happened that may lead to more.

    With seed 0 delays are as in the rules and what is due at one moment goes in the order in which it came;
    any other seed varies both, always the same way.
    """

    def __init__(self, start: datetime, seed: int, rules: Rules) -> None:
        self.rules = rules
        self.clock = WorldClock(start)
        self.account = Account()
        self.draw = random.Random(seed)
        self.ids = random.Random(seed)
        self.shuffled = seed != 0
        self.agenda = Agenda(self.draw if self.shuffled else None)
        self.progress = 0
        self.on_progress: list[Callable[[], None]] = []
        self._horizon: int | None = None
        self._main = threading.current_thread()

    def happened(self) -> None:
        """Something has happened that may lead to more: a message, a record that somebody is told of."""
        self.progress += 1
        for act in self.on_progress:
            act()

    def delay(self, seconds: float) -> int:
        """Microseconds of a delay of the rules, as it turns out this time."""
        return micros(seconds * self.draw.uniform(0.5, 2.0) if self.shuffled else seconds)

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.draw.random() < probability

    def soon(self, act: Callable[[], object], seconds: float = 0.0) -> AgendaEntry:
        """Has something done after a delay of the rules."""
        return self.agenda.put(self.clock.micros + self.delay(seconds), act)

    def later(self, act: Callable[[], object], seconds: float, *, idle: bool = False) -> AgendaEntry:
        """Has something done after exactly this time."""
        return self.agenda.put(self.clock.micros + micros(seconds), act, idle=idle)

    def pass_time(self, until: int) -> bool:
        """Moves on to this microsecond if nothing else is due before; for whoever has the turn."""
        due = self.agenda.next
        if (due is not None and due <= until) or (self._horizon is not None and until > self._horizon):
            return False
        self.clock.move_to(until)
        return True

    def drive(self, goal: Callable[[], bool], until: int | None = None) -> bool:
        """Goes on until the goal is reached, or to this microsecond; False when nothing is left before.

        What a callback raises comes out here.
        """
        if threading.current_thread() is not self._main:
            raise RuntimeError("the cloud is run by the test's own thread only")
        before, self._horizon = self._horizon, until
        quiet, progress = 0, self.progress
        try:
            while not goal():
                due = self.agenda.next
                if due is None or (until is not None and due > until):
                    if until is not None:
                        self.clock.move_to(until)
                    return False
                if until is None and not self.agenda.busy:
                    quiet = quiet + 1 if self.progress == progress else 0
                    progress = self.progress
                    if quiet > QUIET:
                        return False
                entry = self.agenda.take()
                self.clock.move_to(entry.at)
                entry.act()
            return True
        finally:
            self._horizon = before
