"""Signals of one execution as its replay knows them: in the order of their arrival, without those taken. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stepfast.errors import InvalidRequest
from stepfast.model import Signal
from stepfast.replay.commands import shortened
from stepfast.replay.replay import Command, Replay

MAX_SHOWN_SIGNALS = 100
"""Signals not taken that are shown of an execution, the earliest."""
LOOKED_AT = 20
"""Of these, how many are held against what was waited for."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A signal that nobody has taken, and why; its payload is not read for that."""

    signal: Signal
    reason: str


class Arrived:
    """Signals that a wait may take; kept with a replay, and told of new ones and of those that were taken.

    known: the number of the last signal that it has received. A signal with a number was put by this version; those
    without come first, by the time they were received.
    """

    def __init__(self) -> None:
        self.known = 0
        self._seen: set[str] = set()
        self._free: dict[str, dict[str, Signal]] = {}  # by name, then by id
        self._unfit: set[tuple[str, str]] = set()

    def add(self, signals: Iterable[Signal], taken: Iterable[str]) -> None:
        """Signals that were read, any of them again; and the ids of those that a wait has taken."""
        for one in taken:
            self._seen.add(one)
            for free in self._free.values():
                free.pop(one, None)
        changed = set()
        for one_more in signals:
            self.known = max(self.known, one_more.number)
            if one_more.signal_id not in self._seen:
                self._seen.add(one_more.signal_id)
                self._free.setdefault(one_more.name, {})[one_more.signal_id] = one_more
                changed.add(one_more.name)
        for name in changed:
            ordered = sorted(self._free[name].values(), key=order)
            self._free[name] = {one.signal_id: one for one in ordered}

    def first_for(self, command: Command) -> Signal | None:
        """The earliest signal that fits what the wait asks for."""
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
    """Why a payload does not fit what a wait asks for; None where it does."""
    assert command.codec is not None
    try:
        command.codec.decode(payload)
    except InvalidRequest as error:
        return error
    return None


def waits_of(replay: Replay | None) -> list[Command]:
    """The signals that are waited for, in the order asked for."""
    outstanding = replay.outstanding.values() if replay is not None and not replay.finished else ()
    return [one for one in outstanding if one.kind == "signal" and not _has_ended(one, replay)]


def _has_ended(command: Command, replay: Replay | None) -> bool:
    record = replay.records.get(command.id) if replay is not None else None
    return record is not None and record.recorded


def refusals(signals: Iterable[Signal], replay: Replay | None, payloads: Iterable[str | None]) -> Iterator[Refusal]:
    """Why nobody has taken these; payloads: one for each of them, None where it is not looked at."""
    issued = [one for one in replay.issued.values() if one.kind == "signal"] if replay is not None else []
    waiting = {one.name for one in waits_of(replay)}
    for signal, payload in zip(signals, payloads, strict=True):
        asked = [one for one in issued if one.name == signal.name]
        errors = [misfit(one, payload) for one in asked[-3:]] if payload is not None else []
        if errors and errors[-1] is not None:
            yield Refusal(signal, f"it does not fit what {asked[-1].id!r} waits for: {shortened(str(errors[-1]), 300)}")
        elif signal.name in waiting:
            yield Refusal(signal, "it is about to be taken")
        elif asked:
            yield Refusal(signal, f"nobody waits for a signal {signal.name!r} any more")
        else:
            others = f"; what is waited for: {', '.join(sorted(waiting))}" if waiting else ""
            yield Refusal(signal, f"nobody has waited for a signal {signal.name!r} so far{others}")
