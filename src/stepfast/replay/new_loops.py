"""New event loops of a process that may have no file descriptor left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stepfast.frames import selves_of
from stepfast.replay.asyncio_internals import QuickLoop


def new_loop() -> asyncio.AbstractEventLoop:
    """A new event loop of the kind that the process uses; asyncio's own for Unix is a QuickLoop. Raises OSError."""
    loop = complete_loop(asyncio.new_event_loop)
    if type(loop) is not asyncio.SelectorEventLoop:
        return loop
    loop.close()
    return complete_loop(QuickLoop)


def complete_loop(make: Callable[[], asyncio.AbstractEventLoop]) -> asyncio.AbstractEventLoop:
    """A loop that `make` makes. Raises OSError without file descriptors, and says no more than that.

    The finalizer of a loop whose making has failed calls `close`, which prints a traceback because the loop has no
    pipe to itself (`BaseEventLoop.__del__`, CPython 3.11 to 3.14).
    """
    try:
        return make()
    except OSError as error:
        for half_made in selves_of(error):
            if isinstance(half_made, asyncio.BaseEventLoop):
                half_made._closed = True  # type: ignore[attr-defined]
        raise
