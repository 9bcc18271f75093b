"""Follows an execution to its end: a live table on a terminal, a line per change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.live import Live

from stepfast.cli import folding, printing, timeline
from stepfast.client import Execution, ExecutionCancelled, ExecutionFailed
from stepfast.errors import ExecutionNotFound

Object = dict[str, Any]

LIVE_ROWS = 40
"""Rows of the live table: the latest ones."""


LONGEST_WAIT_SECONDS = 20
"""The longest wait for the next change; deployments wait no longer."""


class TooLate(Exception):
    """--timeout has passed and the execution still runs."""


def to_end(execution: Execution[Any], *, quiet: bool, aside: bool, timeout: float | None) -> Object:
    """Follows an execution and returns its last description. Raises TooLate after `timeout` seconds.

    quiet: print nothing. aside: print to standard error, because standard output is for the result.
    """
    console = printing.console(stderr=aside)
    last: Object = {}
    if console.is_terminal and not quiet:
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            for last in _states(execution, timeout):
                rows, left = folding.cut(folding.folded(_followed(last))[-LIVE_ROWS:], LIVE_ROWS)
                live.update(timeline.render(last, rows=rows, left=left, width=console.width), refresh=True)
        return last
    seen: dict[str, tuple[object, ...]] = {}
    for last in _states(execution, timeout):
        if not quiet:
            _print_changes(last, seen, printing.note if aside else printing.say)
    return last


def raise_for(execution: Object) -> None:
    """Raises ExecutionFailed or ExecutionCancelled if the execution ended that way."""
    if execution["status"] in ("FAILED", "CLOSED"):
        raise ExecutionFailed(execution)
    if execution["status"] == "CANCELLED":
        raise ExecutionCancelled(execution["execution_id"])


def _states(execution: Execution[Any], timeout: float | None) -> Iterator[Object]:
    end = None if timeout is None else time.monotonic() + timeout
    before, pause = None, 0.05
    after: str | None = None
    follows = True
    while True:
        state = execution.describe()
        yield state
        if state["status"] not in ("RUNNING", "PAUSED"):
            return
        pause = 0.05 if state != before else min(1.0, pause * 1.5)
        before = state
        left = LONGEST_WAIT_SECONDS if end is None else end - time.monotonic()
        if left <= 0:
            raise TooLate
        if follows:
            try:
                after = execution.changes(after, int(min(left, LONGEST_WAIT_SECONDS)))["after"]
            except ExecutionNotFound:
                follows = False  # an earlier version has no such route; or it was deleted, which describe() tells
        if not follows or left < 1:
            time.sleep(min(pause, left))


def _followed(state: Object) -> list[Object]:
    """The commands to follow: of an execution with very many, those under way."""
    commands: list[Object] = state["notable"] if state.get("partial") else state["commands"]
    return commands


def _print_changes(state: Object, seen: dict[str, tuple[object, ...]], write: Callable[[str], None]) -> None:
    """Prints each change since the last state with its time in UTC, in order of time."""
    lines = []
    run = state.get("run", 1)
    if run > 1 and seen.get("run") != (run,):
        seen["run"] = (run,)
        lines.append((state.get("began_at") or state["created_at"], f"run {run}"))
    for command in _followed(state):
        key = (command["status"], command["attempt"])
        if seen.get(f"{run} {command['id']}") == key:
            continue
        seen[f"{run} {command['id']}"] = key
        error = f"  {timeline.error_text({**command['error'], 'step': None})}" if command["error"] else ""
        tries = f" (try {command['attempt']})" if command["kind"] == "step" and command["attempt"] > 1 else ""
        lines.append(
            (_happened_at(command) or state["created_at"], f"{command['id']}  {command['status']}{tries}{error}")
        )
    value = state.get("status_value")
    if value is not None and seen.get("value") != (value,):
        seen["value"] = (value,)
        lines.append(
            (max((at for at, _ in lines), default=state["created_at"]), f"status  {timeline.value_text(value)}")
        )
    for command in _followed(state):
        if (reported := command.get("progress")) is not None and seen.get(f"at {command['id']}") != (reported,):
            seen[f"at {command['id']}"] = (reported,)
            text = f"{command['id']}  {timeline.value_text(reported)}"
            lines.append((max((at for at, _ in lines), default=state["created_at"]), text))
    for progress in state.get("progress") or ():
        text = timeline.progress_text(progress)
        if seen.get(f"map {progress['id']}") != (text,):
            seen[f"map {progress['id']}"] = (text,)
            lines.append((max((at for at, _ in lines), default=state["created_at"]), text))
    for at, text in sorted(lines, key=lambda line: line[0]):
        write(f"{at[11:19]}  {text}")
    if state["status"] != seen.get("paused", ("RUNNING",))[0] and state["status"] in ("RUNNING", "PAUSED"):
        seen["paused"] = (state["status"],)
        at = (state.get("intervention") or {}).get("at") or state["created_at"]
        write(f"{at[11:19]}  {state['execution_id']}  {state['status']}")
    if state["status"] not in ("RUNNING", "PAUSED"):
        write(f"{(state['ended_at'] or '')[11:19]}  {state['execution_id']}  {state['status']}")


def _happened_at(command: Object) -> str | None:
    """When a command reached its status: its end, the end of its failed attempt, or its start."""
    last = command["attempts"][-1] if command["attempts"] else None
    if command["status"] == "RETRYING" and last is not None:
        at: str | None = last["ended_at"] or last["started_at"]
    elif command["status"] == "RUNNING":
        at = command["started_at"] if "started_at" in command else command["first_at"]
    else:
        at = command["ended_at"]
    return at or command["first_at"]
