"""Event loops of threads: asyncio's own, with fewer calls for each handle, and complete or not made at all."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from stepfast.frames import selves_of


class QuickHandle(asyncio.Handle):
    """A handle of a loop that is not in debug mode, which asyncio's own asks its loop for (CPython 3.11 to 3.14)."""

    __slots__ = ()

    def __init__(
        self, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: contextvars.Context | None = None
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr, self._source_traceback = False, None, None


class QuickLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, whose `call_soon` costs two calls and not five. Each step goes through it three times."""

    _debug: bool
    _closed: bool
    _ready: Any

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = QuickHandle(callback, args, self, context)
        self._ready.append(handle)
        return handle


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
