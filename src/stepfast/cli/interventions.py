"""`stepfast pause`, `unpause`, `close`, `reopen`, `cancel` and `terminate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson, session
from stepfast.cli.steering import Ids
from stepfast.cli.timeline import Object
from stepfast.client.execution import Execution
from stepfast.errors import Refused

Why = Annotated[str | None, typer.Option(help="For the history.")]


def pause(context: typer.Context, execution_ids: Ids, why: Why = None, as_json: AsJson = False) -> None:
    """Pause RUNNING executions, with their children: nothing new begins, what runs ends."""
    _each(context, execution_ids, "paused", lambda execution: execution.pause(why), as_json)


def unpause(context: typer.Context, execution_ids: Ids, why: Why = None, as_json: AsJson = False) -> None:
    """Let PAUSED executions go on where they were."""
    _each(context, execution_ids, "unpaused", lambda execution: execution.unpause(why), as_json)


def close(context: typer.Context, execution_ids: Ids, why: Why = None, as_json: AsJson = False) -> None:
    """Close FAILED executions: they are kept, and are no dead letters any more."""
    _each(context, execution_ids, "closed", lambda execution: execution.close(why), as_json)


def reopen(context: typer.Context, execution_ids: Ids, why: Why = None, as_json: AsJson = False) -> None:
    """Make CLOSED executions FAILED again, so that they can be resumed."""
    _each(context, execution_ids, "reopened", lambda execution: execution.reopen(why), as_json)


def cancel(
    context: typer.Context,
    execution_ids: Ids,
    why: Why = None,
    cleanup_seconds: Annotated[
        float | None, typer.Option(min=0, help="How long the code may clean up, 60 seconds if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Cancel RUNNING or PAUSED executions, whose code may clean up; one that refuses does not stop the others."""
    _each(context, execution_ids, "cancelled", lambda execution: execution.cancel(why, cleanup_seconds), as_json)


def terminate(context: typer.Context, execution_ids: Ids, why: Why = None, as_json: AsJson = False) -> None:
    """End RUNNING or PAUSED executions at once: none of their code runs any more."""
    _each(context, execution_ids, "terminated", lambda execution: execution.terminate(why), as_json)


def _each(
    context: typer.Context,
    execution_ids: list[str],
    done: str,
    act: Callable[[Execution[Any]], Object],
    as_json: bool,
) -> None:
    """Does the same to each; one that refuses does not stop the others, and exits 2 in the end."""
    changed, refused = [], False
    with session(context).client() as client:
        for execution_id in dict.fromkeys(execution_ids):
            try:
                changed.append(act(client.execution(execution_id)))
                cleans_up = done == "cancelled" and changed[-1]["status"] != "CANCELLED"
            except Refused as error:
                refused = True
                printing.complain(str(error), type=type(error).__name__, execution_id=execution_id)
                continue
            if not as_json:
                printing.say(f"{done} {execution_id}" + (", which cleans up" if cleans_up else ""))
    if as_json:
        printing.print_json(changed[0] if len(execution_ids) == len(changed) == 1 else changed)
    if refused:
        raise typer.Exit(2)
