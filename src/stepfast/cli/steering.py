"""`stepfast resume`, `cancel` and `signal`."""

from __future__ import annotations

from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.inputs import read_json
from stepfast.cli.session import AsJson, session
from stepfast.errors import Refused

Id = Annotated[str, typer.Argument(metavar="ID")]


def resume(
    context: typer.Context,
    execution_ids: Annotated[list[str], typer.Argument(metavar="ID...")],
    as_json: AsJson = False,
) -> None:
    """Go on with FAILED executions from the step that failed; what cannot be resumed does not stop the others."""
    resumed, refused = [], False
    with session(context).client() as client:
        for execution_id in execution_ids:
            try:
                resumed.append(client.execution(execution_id).resume())
            except Refused as error:
                refused = True
                printing.complain(str(error))
                continue
            if not as_json:
                printing.say(f"resumed {execution_id}")
    if as_json:
        printing.print_json(resumed)
    if refused:
        raise typer.Exit(2)


def cancel(context: typer.Context, execution_id: Id, as_json: AsJson = False) -> None:
    """End a RUNNING execution; steps that run are told to stop, and their results are refused."""
    with session(context).client() as client:
        execution = client.execution(execution_id).cancel()
    if as_json:
        return printing.print_json(execution)
    return printing.say(f"cancelled {execution_id}")


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
