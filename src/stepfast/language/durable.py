"""Signals, the time, random numbers and ids for workflow code; each is the same in every replay."""

from __future__ import annotations

import asyncio
import random as plain_random
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar, overload

from typing_extensions import TypeForm

from stepfast.language import direct
from stepfast.language.options import Seconds, name_of, seconds_of
from stepfast.language.workflow_loop import commands_for, in_workflow
from stepfast.values.codec import UNTYPED, Codec

T = TypeVar("T")
LEAST_SIGNAL_TIMEOUT_SECONDS = 1e-6
"""A float of seconds since the epoch has no finer resolution today."""


@overload
async def signal(name: str, type: type[T], *, timeout: Seconds | None = None) -> T: ...
@overload
async def signal(name: str, type: TypeForm[T], *, timeout: Seconds | None = None) -> T: ...
@overload
async def signal(name: str, *, timeout: Seconds | None = None) -> Any: ...
async def signal(name: str, type: Any = UNTYPED, *, timeout: Seconds | None = None) -> Any:
    """Waits for the next signal of this name and returns its payload as `type`.

    Signals are taken in the order of arrival, each once. A signal that arrived before anybody waited counts too. A
    signal whose payload does not fit `type` is skipped, and stays for another wait.

    name: 1 to 64 of A-Z a-z 0-9 . _ -.
    type: the type of the payload; without it the payload is plain JSON values.
    timeout: seconds or a timedelta; None waits without end, and 0 takes only a signal that has arrived.

    Raises TimeoutError when the timeout has passed, DefinitionError for a wrong name or timeout, and
    ForbiddenInWorkflow outside workflow code.
    """
    commands_for("signal()")
    codec = _signal_codec(name_of(name, "signal"), type)
    if timeout is None:
        return await commands_for("signal()").signal(name, codec)
    seconds = seconds_of(timeout, f"signal {name!r}: timeout", least=0.0)
    # asyncio schedules a timeout of 0 by call_soon (CPython 3.11 to 3.13), so it would cancel before any signal is
    # looked for. A timer, even a very short timer, fires only after the signals that have arrived were looked at.
    async with asyncio.timeout(max(seconds, LEAST_SIGNAL_TIMEOUT_SECONDS)):
        return await commands_for("signal()").signal(name, codec)


def _signal_codec(name: str, type: Any) -> Codec:
    try:
        return _cached_signal_codec(name, type)
    except TypeError:  # the type is not hashable
        return Codec(type, f"signal {name!r}: payload")


@lru_cache(maxsize=512, typed=True)
def _cached_signal_codec(name: str, type: Any) -> Codec:
    """Cached, because every replay needs the codec and pydantic takes long to build it."""
    return Codec(type, f"signal {name!r}: payload")


def _is_plain() -> bool:
    """Whether the code belongs to a workflow that is called outside of an engine, where nothing is repeated."""
    return in_workflow() is None and direct.in_direct_run()


def now() -> datetime:
    """The time of the last result that the workflow has seen, as a datetime in UTC; the same in every replay.

    Raises ForbiddenInWorkflow outside workflow code.
    """
    if _is_plain():
        return datetime.now(UTC)
    return datetime.fromtimestamp(commands_for("now()").now(), UTC)


def random() -> float:
    """A float from 0 up to but not including 1. Each call returns another, and every replay repeats the sequence.

    Raises ForbiddenInWorkflow outside workflow code.
    """
    if _is_plain():
        return plain_random.random()
    return int.from_bytes(commands_for("random()").entropy("random")[:7], "big") / (1 << 56)


def uuid4() -> uuid.UUID:
    """A version 4 UUID. Each call returns another, and every replay repeats the sequence.

    Raises ForbiddenInWorkflow outside workflow code.
    """
    if _is_plain():
        return uuid.uuid4()
    return uuid.UUID(bytes=commands_for("uuid4()").entropy("uuid4")[:16], version=4)
