"""Following an execution to its end: live on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.live import Live

from stepfast.cli import printing, timeline
from stepfast.client import Execution, ExecutionCancelled, ExecutionFailed

Object = dict[str, Any]


class TooLate(Exception):
    """--timeout has passed and the execution still runs."""


def to_end(execution: Execution, *, quiet: bool, aside: bool, timeout: float | None) -> Object:
    """Follows an execution and returns its last description; TooLate after `timeout` seconds.

    quiet: show nothing. aside: show it on standard error, and only on a terminal, since standard output
    is for the result.
    """
    console = printing.console(stderr=aside)
    last: Object = {}
    if console.is_terminal and not quiet:
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            for last in _states(execution, timeout):
                live.update(timeline.render(last), refresh=True)
        return last
    seen: dict[str, tuple[object, ...]] = {}
    for last in _states(execution, timeout):
        if not (quiet or aside):
            _print_changes(last, seen)
    return last


def raise_for(execution: Object) -> None:
    """ExecutionFailed or ExecutionCancelled for an execution that ended so."""
    if execution["status"] == "FAILED":
        raise ExecutionFailed(execution)
    if execution["status"] == "CANCELLED":
        raise ExecutionCancelled(execution["execution_id"])


def _states(execution: Execution, timeout: float | None) -> Iterator[Object]:
    end = None if timeout is None else time.monotonic() + timeout
    before, pause = None, 0.05
    while True:
        state = execution.describe()
        yield state
        if state["status"] != "RUNNING":
            return
        pause = 0.05 if state != before else min(1.0, pause * 1.5)
        before = state
        left = pause if end is None else end - time.monotonic()
        if left <= 0:
            raise TooLate
        time.sleep(min(pause, left))


def _print_changes(state: Object, seen: dict[str, tuple[object, ...]]) -> None:
    now = datetime.now(UTC).strftime("%H:%M:%S")
    for one in state["commands"]:
        key = (one["status"], one["attempt"])
        if seen.get(one["id"]) == key:
            continue
        seen[one["id"]] = key
        error = f"  {timeline.told({**one['error'], 'step': None})}" if one["error"] else ""
        tries = f" (try {one['attempt']})" if one["kind"] == "step" and one["attempt"] > 1 else ""
        printing.say(f"{now}  {one['id']}  {one['status']}{tries}{error}")
    if state["status"] != "RUNNING":
        printing.say(f"{now}  {state['execution_id']}  {state['status']}")
