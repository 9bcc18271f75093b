"""Errors of workflow code that can never go on."""

from __future__ import annotations

from stepfast.errors import Deadlock, ForbiddenInWorkflow


def in_circles() -> Deadlock:
    """Of code that never comes to wait for anything."""
    return Deadlock(
        "the workflow runs in circles without waiting for any step, timer or signal; "
        "to wait for a time, await asyncio.sleep with more than 0 seconds"
    )


def stuck() -> Deadlock:
    """Of the workflow's own coroutine, which nothing can wake."""
    return Deadlock(
        "the workflow waits for something that no step, timer or signal will bring: "
        "a future, event, lock or queue that nothing in the workflow will set"
    )


def stuck_in_shutdown() -> Deadlock:
    """Of a task that the workflow's own coroutine has left when it returned."""
    return Deadlock(
        "the workflow has returned, but a task that was left, and is cancelled by that, waits in its "
        "except or finally block for something that no step, timer or signal will bring"
    )


def explained(error: BaseException) -> BaseException:
    """The error itself; for asyncio's error about a future of another loop, an error that says what to do instead."""
    if isinstance(error, RuntimeError) and str(error).endswith(("a different loop", "a different event loop")):
        mended = ForbiddenInWorkflow(
            "workflow code awaited a future, lock or event of another event loop, which no replay can repeat: "
            "await it in a step, send the execution a signal, or make the lock in the workflow itself"
        )
        mended.__cause__ = error
        return mended
    return error
