"""Sends signals: checked against what the execution waits for, and stored once under their id."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any

from stepfast.engine.arguments import check_id, check_signal_name, json_text
from stepfast.engine.catching_up import CatchingUp, PartialReads
from stepfast.engine.memory import LONG
from stepfast.engine.order import Order
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import ReadOperations
from stepfast.engine.replay_cache import Live, LiveReplays
from stepfast.errors import ExecutionConflict, InvalidRequest, WrongStatus
from stepfast.model import Signal, SignalLimits
from stepfast.records import dataclass
from stepfast.replay.handlers import SIGNAL as UPDATES
from stepfast.replay.replay import Command
from stepfast.replay.signals import misfit, waits_of
from stepfast.values.sameness import same_json

_LINK = re.compile(r"(.+)\.[0-9a-f]{12}")
REPLAY_TRIES, REPLAY_TRY_SECONDS = 20, 0.002
"""How often a replay that is in use is asked for, and seconds in between, before the code is run for itself."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A signal as it is stored, and whether this call has put it.

    waited_for: the names of the signals that the execution was waiting for, None where that was not looked at.
    """

    signal: Signal
    created: bool
    waited_for: tuple[str, ...] | None


class Signalling:
    """Sends signals to executions. lives: the replay cache, which knows what an execution waits for.

    parts: the port of a store without deltas that reads a few records for less than all.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        reading: ReadOperations,
        lives: LiveReplays,
        limits: SignalLimits,
        parts: PartialReads | None = None,
    ) -> None:
        self._store, self._clock, self._reading, self._lives, self._limits = store, clock, reading, lives, limits
        self._catching_up = CatchingUp(store, parts) if parts is not None else None

    async def signal(
        self,
        execution_id: str,
        name: str,
        payload: Any,
        signal_id: str | None = None,
        *,
        only_waited: bool = False,
    ) -> Sent:
        """As Operations.signal. only_waited: WrongStatus where the execution does not wait for this signal."""
        check_signal_name(name)
        if signal_id is not None:
            check_id(signal_id, "signal_id", "a signal id")
        text = json_text(payload)
        held = await self._held(execution_id, signal_id)
        if held is None:
            signal: Signal | None = None
            try:
                waits = await self.waits(execution_id)
                if only_waited and all(command.name != name for command in waits):
                    raise WrongStatus(f"execution {execution_id!r} does not wait for {name!r}", "RUNNING")
                if (link := _link_named(name, waits)) is not None:
                    name, signal_id = link, signal_id or signal_id_of(link)
                _check_payload(waits, name, text)
                signal = Signal(signal_id or str(uuid.uuid4()), name, text, self._clock.now())
                held = await self._store.add_signal(execution_id, signal, self._limits)
            except (WrongStatus, InvalidRequest):
                # An equal call may have come first since, and its signal has ended the execution, or a wait of it.
                held = await self._held(execution_id, signal_id)
                if held is None:
                    raise
            if signal is not None and held is signal:
                names = (command.name for command in waits if command.name != UPDATES)
                return Sent(held, True, tuple(dict.fromkeys(names)))
        if name not in (held.name, name_of_link(held.name)) or not same_json(held.payload, text):
            raise ExecutionConflict(f"signal id {signal_id!r} was used before for another signal or payload")
        return Sent(held, False, None)

    async def _held(self, execution_id: str, signal_id: str | None) -> Signal | None:
        return None if signal_id is None else await self._store.signal(execution_id, signal_id)

    async def waits(self, execution_id: str) -> tuple[Command, ...]:
        """The signals that an execution waits for now; ExecutionNotFound, WrongStatus when it takes none any more.

        A replay that is kept knows them; where none is, or it is behind, the code is run against what is stored.
        """
        kept_waits = await self._waits_by_parts(execution_id)
        if kept_waits is not None:
            return kept_waits
        for _ in range(REPLAY_TRIES if await self._may_be_kept(execution_id) else 0):
            kept = self._lives.waits(execution_id)
            if kept is not None:
                if await self._lives.stand(execution_id, kept):
                    return kept.commands
            elif not self._lives.is_out(execution_id):
                break
            await self._clock.sleep(REPLAY_TRY_SECONDS)  # An advance is under way, and will put a replay back.
        snapshot = await self._reading.load(execution_id, signals=False)
        status = snapshot.execution.status
        if status in ("SUCCEEDED", "CLOSED", "CANCELLED"):
            raise WrongStatus(f"execution {execution_id!r} is {status}: it accepts no more signals", status)
        if self._catching_up is None or len(snapshot.records) < LONG or status != "RUNNING":
            return tuple(waits_of(self._reading.replay(snapshot)))
        replay = self._reading.open_replay(snapshot)
        waits = tuple(waits_of(replay))
        if replay is not None and not replay.finished and not replay.stale:
            self._lives.put(execution_id, Live(replay, Order(snapshot.cursor), None))
        return waits

    async def _may_be_kept(self, execution_id: str) -> bool:
        """Whether a replay of this process may know the waits: without deltas none can, and nothing is read."""
        if self._catching_up is not None:
            return False
        executions = await self._reading.read_many([execution_id])
        return any(execution.status == "RUNNING" for execution in executions)

    async def _waits_by_parts(self, execution_id: str) -> tuple[Command, ...] | None:
        """The same from a replay that this process has kept of a long execution; None where it has kept none."""
        if self._catching_up is None:
            return None
        live = self._lives.take(execution_id)
        if live is None:
            return None
        try:
            if await self._catching_up.catch_up(live) is None:
                return None
            self._lives.put(execution_id, live)
            return tuple(waits_of(live.replay))
        finally:
            live.close()


def signal_id_of(link: str) -> str:
    """The id of the signal that answers a link: made of the wait, so that the first answer is the only one."""
    return f"link-{link}"


def name_of_link(name: str) -> str | None:
    """The name of a callback, from the name of its wait; None for the name of an ordinary wait."""
    match = _LINK.fullmatch(name)
    return match[1] if match is not None else None


def _link_named(name: str, waits: Sequence[Command]) -> str | None:
    """The one link of this callback that the execution waits for, if no ordinary wait has its name."""
    names = [command.name for command in waits]
    links = [link for link in names if name_of_link(link) == name]
    return links[0] if len(links) == 1 and name not in names else None


def _check_payload(waits: Sequence[Command], name: str, text: str) -> None:
    """InvalidRequest where the signal is waited for and fits none of the waits."""
    asked = [command for command in waits if command.name == name]
    errors = [misfit(command, text) for command in asked]
    if errors and None not in errors and errors[-1] is not None:
        raise errors[-1]
