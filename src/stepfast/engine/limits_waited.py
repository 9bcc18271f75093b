"""What a step has waited for before its attempt began: kept in its record, and an event of its history. Pure.

A claim writes it along with itself, so it costs no write. While a step waits, limit_waits.py finds out what for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stepfast.engine.gates import GatePass
from stepfast.engine.limit_items import Permit

SHORTEST_WAIT = 1.0
"""Seconds: a shorter wait is not told."""
MOST_WAITS = 10
"""Waits that a record has, the newest ones: a step may be tried for days."""


def with_waits(held: str | None, passes: Sequence[GatePass], permits: Sequence[Permit], now: float) -> str | None:
    """The text of a record with the waits before an attempt that begins now.

    held: its text until now. passes, permits: those of the attempt.
    """
    if not passes and all(permit.asked is None for permit in permits):
        return held
    waits = [*_at_gates(passes, now), *_for_limits(permits, now)]
    if not waits:
        return held
    return json.dumps([*waits_in(held), *waits][-MOST_WAITS:], separators=(",", ":"))


def waits_in(text: str | None) -> list[dict[str, Any]]:
    """The waits of a record, the oldest first: what was `waited_for`, of which `limit` and `key`, from when to when.

    A wait at a gate also says when the gate closed, when it opened (not of a probe), its `cause`, and who has closed it
    `by` hand and `why`, as far as that was known.
    """
    waits: list[dict[str, Any]] = json.loads(text) if text else []
    return waits


def _at_gates(passes: Sequence[GatePass], now: float) -> Iterator[Mapping[str, Any]]:
    for held in passes:
        until = held.permit.since if held.permit is not None else now
        if held.asked is None or until - held.asked < SHORTEST_WAIT:
            continue
        says: dict[str, Any] = {"waited_for": "gate", "limit": held.id.name, "key": held.id.key}
        state = held.state
        if state is not None:
            ramps = state.status == "RAMPING"
            says |= {"closed_at": state.closed if ramps else state.since, "opened_at": state.since if ramps else None}
            by, why = (state.closed_by, state.closed_why) if ramps else (state.by, state.why)
            says |= {"cause": state.cause, "by": by, "why": why}
        says |= {"since_at": held.asked, "until_at": until}
        yield {name: value for name, value in says.items() if value not in ("", None, 0.0)} | {"key": held.id.key}


def _for_limits(permits: Sequence[Permit], now: float) -> Iterator[Mapping[str, Any]]:
    for permit in permits:
        if permit.asked is None or permit.since - permit.asked < SHORTEST_WAIT:
            continue
        yield {
            "waited_for": "slot" if permit.in_line else "rate",
            "limit": permit.id.name,
            "key": permit.turn or permit.id.key,
            "since_at": permit.asked,
            "until_at": min(permit.since, now),
        }
