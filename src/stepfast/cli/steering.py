"""`stepfast resume`, `delete` and `signal`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from stepfast.cli import completion, printing
from stepfast.cli.inputs import read_json
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import Object, clock
from stepfast.client.execution import Execution
from stepfast.errors import InvalidRequest, Refused

Id = Annotated[str, typer.Argument(metavar="ID", autocompletion=completion.ids)]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", autocompletion=completion.ids)]


def resume(
    context: typer.Context,
    execution_ids: Annotated[list[str], typer.Argument(metavar="ID...", autocompletion=completion.failed_ids)],
    step: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMMAND",
            help="Run this command again, as `stepfast show` names it, in place of what failed; may be repeated.",
        ),
    ] = None,
    as_recorded: Annotated[
        bool, typer.Option("--as-recorded", help="Run no step again: the mended code goes on with what is recorded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Go on with FAILED executions from the step that failed; what cannot be resumed does not stop the others.

    Where no failed step stands behind a failure, this says so first, and the code at hand runs on what is recorded.
    """
    if step and as_recorded:
        raise typer.BadParameter("--step runs a step again and --as-recorded none: leave one of them away")
    steps = [] if as_recorded else step
    resumed, refused = [], False
    with session(context).client() as client:
        for execution_id in execution_ids:
            try:
                if steps is None:
                    _warn(client.execution(execution_id))
                resumed.append(client.execution(execution_id).resume(steps))
            except Refused as error:
                refused = True
                printing.complain(str(error), type=type(error).__name__, execution_id=execution_id)
                continue
            if not as_json:
                printing.say(f"resumed {execution_id}")
                for wait in resumed[-1].get("waits") or ():
                    printing.say(f"  {_held(wait)}")
    if as_json:
        printing.print_json(resumed)
    if refused:
        raise typer.Exit(2)


def _held(wait: Object) -> str:
    name, attempt, until = printing.shown(wait["command"]), wait["attempt"], clock(wait["until"])
    return f"{name}: attempt {attempt} may still run and then counts; else tried again at {until} UTC"


def _warn(execution: Execution[Any]) -> None:
    """Says before the resume that it runs no step again; a key that may not read learns it from the answer."""
    try:
        state = execution.describe(commands=False)
    except Refused:
        return
    if state["status"] == "FAILED" and state.get("reopens") == []:
        printing.complain(nothing_failed(execution.execution_id))


def nothing_failed(execution_id: str) -> str:
    return (
        f"no failed step stands behind the failure of {execution_id}: a resume runs the code at hand again; "
        f"to run a step again, name it: stepfast resume {execution_id} --step COMMAND"
    )


def delete(
    context: typer.Context,
    execution_ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete executions that have ended, with all that is of them; what cannot be deleted does not stop the others."""
    ids = list(dict.fromkeys(execution_ids))
    if not yes:
        _confirm(ids)
    deleted, refused = [], False
    with session(context).client() as client:
        for execution_id in ids:
            try:
                client.delete(execution_id)
            except Refused as error:
                refused = True
                printing.complain(str(error), type=type(error).__name__, execution_id=execution_id)
                continue
            deleted.append(execution_id)
            if not as_json:
                printing.say(f"deleted {execution_id}")
    if as_json:
        printing.print_json({"deleted": deleted})
    if refused:
        raise typer.Exit(2)


def _confirm(ids: list[str]) -> None:
    """Asks on a terminal; elsewhere nobody could answer. Raises InvalidRequest, or ends the command."""
    if not _on_terminal():
        raise InvalidRequest("a deletion cannot be undone: confirm it with --yes")
    subject = f"execution {ids[0]}" if len(ids) == 1 else f"these {len(ids)} executions"
    typer.confirm(f"Delete {subject} with all values and history, for good?", abort=True, err=True)


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def signal(
    context: typer.Context,
    execution_id: Id,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    payload: Annotated[
        str | None, typer.Argument(metavar="[PAYLOAD]", help="JSON, @FILE, or - for standard input; null if left out.")
    ] = None,
    signal_id: Annotated[str | None, typer.Option(help="The same id again is the same signal.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send an execution a signal."""
    value = read_json(payload, "payload")
    with session(context).client() as client:
        sent = client.execution(execution_id).signal(name, value, signal_id)
    if as_json:
        return printing.print_json(sent)
    printing.say(f"sent {name} to {execution_id}")
    if sent.get("note"):
        printing.say(f"{execution_id}: {sent['note']}")
    return None
