"""What the played services share: a clock, an agenda, random numbers, and the account's troubles."""

from __future__ import annotations

import random
from collections.abc import Callable

from stepfast.simulator.account import Account
from stepfast.simulator.agenda import Agenda, AgendaEntry
from stepfast.simulator.clock import ReadableClock, micros
from stepfast.simulator.rules import Rules


class World:
    """Holds what is due. A Time takes it from the agenda; `progress` counts what happened that may lead to more.

    seed: with 0, delays are as in the rules, and what is due at one moment is done in the order in which it was put.
    Any other seed varies both, always in the same way; None varies them differently each time.
    on_put: called after each entry of the agenda is put.
    """

    def __init__(
        self, clock: ReadableClock, seed: int | None, rules: Rules, on_put: Callable[[], object] = lambda: None
    ) -> None:
        self.clock, self.seed, self.rules = clock, seed, rules
        self.account = Account()
        self.draw = random.Random(seed)
        self.ids = random.Random(seed)
        self.shuffled = seed != 0
        self.agenda = Agenda(self.draw if self.shuffled else None, on_put)
        self.progress = 0
        self.on_progress: list[Callable[[], None]] = []

    def happened(self) -> None:
        """Counts an event that may lead to more: a message, or a record that a reader of the stream receives."""
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
