"""The signals of one execution that no wait has taken, in the order of their arrival. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stepfast.errors import InvalidRequest
from stepfast.model import Signal
from stepfast.records import dataclass
from stepfast.replay.commands import shortened
from stepfast.replay.replay import Command, Replay

MAX_SHOWN_SIGNALS = 100
"""The API shows this many of the signals that no wait has taken, the earliest."""
MAX_CHECKED_SIGNALS = 20
"""Of these, this many are checked against the types that the code waits for, since that reads their payloads."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A signal that no wait has taken, and the reason."""

    signal: Signal
    reason: str


class Arrived:
    """The signals that a wait may take. A replay keeps this object and adds new signals to it.

    known: the number of the last signal that was added. Signals of older versions have no number: they come first, in
    the order of the times at which they were received.
    """

    def __init__(self) -> None:
        self.known = 0
        self._seen: set[str] = set()
        self._free: dict[str, dict[str, Signal]] = {}  # by name, then by id
        self._unfit: set[tuple[str, str]] = set()

    def add(self, signals: Iterable[Signal], taken: Iterable[str]) -> None:
        """Adds signals; a repeated signal changes nothing. taken: the ids of all signals that waits have taken."""
        for id in taken:
            self._seen.add(id)
            for free in self._free.values():
                free.pop(id, None)
        changed = set()
        for signal in signals:
            self.known = max(self.known, signal.number)
            if signal.signal_id not in self._seen:
                self._seen.add(signal.signal_id)
                self._free.setdefault(signal.name, {})[signal.signal_id] = signal
                changed.add(signal.name)
        for name in changed:
            ordered = sorted(self._free[name].values(), key=order)
            self._free[name] = {signal.signal_id: signal for signal in ordered}

    def first_for(self, command: Command) -> Signal | None:
        """The earliest signal whose payload fits the type of the wait; None if no payload fits."""
        for signal in self._free.get(command.name, {}).values():
            looked = (command.id, signal.signal_id)
            if looked not in self._unfit:
                if misfit(command, signal.payload) is None:
                    return signal
                self._unfit.add(looked)
        return None


def order(signal: Signal) -> tuple[int, float, str]:
    return signal.number, signal.received_at, signal.signal_id


def misfit(command: Command, payload: str) -> InvalidRequest | None:
    """The reason why a payload does not fit the type of a wait; None if it fits."""
    assert command.codec is not None
    try:
        command.codec.decode(payload)
    except InvalidRequest as error:
        return error
    return None


def waits_of(replay: Replay | None) -> list[Command]:
    """The waits for signals, in the order in which they were issued."""
    waits = replay.waits() if replay is not None and not replay.finished else ()
    return [command for command in waits if not _has_ended(command, replay)]


def _has_ended(command: Command, replay: Replay | None) -> bool:
    record = replay.records.get(command.id) if replay is not None else None
    return record is not None and record.recorded


def refusals(signals: Iterable[Signal], replay: Replay | None, payloads: Iterable[str | None]) -> Iterator[Refusal]:
    """Why no wait has taken these signals. payloads: a payload for each signal, None where it was not read."""
    issued = [command for command in replay.issued.values() if command.kind == "signal"] if replay is not None else []
    waiting = {wait.name for wait in waits_of(replay)}
    for signal, payload in zip(signals, payloads, strict=True):
        asked = [wait for wait in issued if wait.name == signal.name]
        errors = [misfit(wait, payload) for wait in asked[-3:]] if payload is not None else []
        if errors and errors[-1] is not None:
            yield Refusal(signal, f"it does not fit what {asked[-1].id!r} waits for: {shortened(str(errors[-1]), 300)}")
        elif signal.name in waiting:
            yield Refusal(signal, "it is about to be taken")
        elif asked:
            yield Refusal(signal, f"nobody waits for a signal {signal.name!r} any more")
        else:
            others = f"; what is waited for: {', '.join(sorted(waiting))}" if waiting else ""
            yield Refusal(signal, f"nobody has waited for a signal {signal.name!r} so far{others}")
