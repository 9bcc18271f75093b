"""What workflow code asks the engine for besides steps: signals, the time, random numbers, ids."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar, overload

from typing_extensions import TypeForm

from stepfast.language.options import Seconds, name_of, seconds_of
from stepfast.language.workflow_loop import commands_for
from stepfast.values.codec import UNTYPED, Codec

T = TypeVar("T")
LEAST_SIGNAL_TIMEOUT_SECONDS = 1e-6
"""Seconds; a time of today as a float tells no shorter ones apart."""


@overload
async def signal(name: str, type: type[T], *, timeout: Seconds | None = None) -> T: ...
@overload
async def signal(name: str, type: TypeForm[T], *, timeout: Seconds | None = None) -> T: ...
@overload
async def signal(name: str, *, timeout: Seconds | None = None) -> Any: ...
async def signal(name: str, type: Any = UNTYPED, *, timeout: Seconds | None = None) -> Any:
    """Waits for the next signal of this name and returns its payload as `type`.

    Signals are taken in the order of their arrival, each once, also those sent before anyone waited; one whose
    payload does not fit `type` is left alone. Raises TimeoutError after `timeout` (seconds or timedelta); with 0
    it takes what is there and waits for nothing.
    """
    commands_for("signal()")
    codec = _signal_codec(name_of(name, "signal"), type)
    if timeout is None:
        return await commands_for("signal()").signal(name, codec)
    seconds = seconds_of(timeout, f"signal {name!r}: timeout", least=0.0)
    # A timeout of asyncio's that is over when it begins ends the wait before anybody can look for a signal; a timer,
    # however short, is only over once the signals that are there were looked at.
    async with asyncio.timeout(max(seconds, LEAST_SIGNAL_TIMEOUT_SECONDS)):
        return await commands_for("signal()").signal(name, codec)


def _signal_codec(name: str, type: Any) -> Codec:
    try:
        return _cached_signal_codec(name, type)
    except TypeError:  # a type that has no hash
        return Codec(type, f"signal {name!r}: payload")


@lru_cache(maxsize=512, typed=True)
def _cached_signal_codec(name: str, type: Any) -> Codec:
    """Building an adapter takes far longer than all else about a wait, and every replay comes by here."""
    return Codec(type, f"signal {name!r}: payload")


def now() -> datetime:
    """The time of the last result that the workflow has seen (UTC); the same in every replay."""
    return datetime.fromtimestamp(commands_for("now()").now(), UTC)


def random() -> float:
    """A number from 0 up to 1, not included; the same in every replay, another at every call."""
    return int.from_bytes(commands_for("random()").entropy("random")[:7], "big") / (1 << 56)


def uuid4() -> uuid.UUID:
    """A version 4 UUID; the same in every replay, another at every call."""
    return uuid.UUID(bytes=commands_for("uuid4()").entropy("uuid4")[:16], version=4)
