"""Workflows that are called outside of an engine: they run as plain asyncio code, and nothing is durable."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import Any, TypeVar

R = TypeVar("R")

_in_direct_run: ContextVar[bool] = ContextVar("stepfast_in_direct_run", default=False)
"""True in the code of a workflow that was called outside of an engine, and False in its steps."""
_warned: list[str] = []
"""The workflow of the warning, once there was a warning in this process."""


def in_direct_run() -> bool:
    """Whether the code of a workflow that was called outside of an engine is running."""
    return _in_direct_run.get()


async def run_workflow(name: str, coroutine: Coroutine[Any, Any, R]) -> R:
    """Runs a workflow that was called outside of an engine. The first one of the process logs a warning."""
    if not _warned:
        import logging  # here, since authors' modules are to load fast

        _warned.append(name)
        logging.getLogger(__name__).warning(
            "workflow %r is called outside of an engine and is not durable: nothing is recorded, retried or resumed. "
            "Start it with stepfast.Embedded, stepfast.Client or `stepfast run`",
            name,
        )
    token = _in_direct_run.set(True)
    try:
        return await coroutine
    finally:
        _reset(token)


async def run_step(function: Callable[..., Any], is_async: bool, args: Any, kwargs: Any) -> Any:
    """Runs a step that such a workflow calls, once: a `def` in a thread. In the step, other steps are functions."""
    token = _in_direct_run.set(False)
    try:
        if is_async:
            return await function(*args, **kwargs)
        import asyncio

        return await asyncio.to_thread(function, *args, **kwargs)
    finally:
        _reset(token)


def _reset(token: Token[bool]) -> None:
    with suppress(ValueError):  # the garbage collector closes a coroutine in whatever context it runs
        _in_direct_run.reset(token)
