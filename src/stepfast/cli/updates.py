"""`stepfast query` and `stepfast update`."""

from __future__ import annotations

from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.handler_schemas import say_handlers, saying_what_it_takes
from stepfast.cli.inputs import read_json
from stepfast.cli.session import AsJson, session
from stepfast.cli.steering import Id
from stepfast.client.update_answers import StartIf
from stepfast.errors import InvalidRequest

Payload = Annotated[
    str | None, typer.Option("--payload", "-p", help="JSON, @FILE, or - for standard input; null if left out.")
]


def query(
    context: typer.Context,
    execution_id: Id,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Left out: what can be asked is listed, with its types.")
    ] = None,
    payload: Payload = None,
    as_json: AsJson = False,
) -> None:
    """Ask a @query function of a workflow; it changes nothing."""
    value = read_json(payload, "payload")
    with session(context).client() as client:
        execution = client.execution(execution_id)
        if name is not None:
            with saying_what_it_takes(execution, "queries", name):
                answer = execution.query(name, value)
            return printing.print_json(answer)
        handlers = execution.handlers()
    if as_json:
        return printing.print_json(handlers)
    return say_handlers(handlers)


def update(
    context: typer.Context,
    execution_id: Id,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    payload: Payload = None,
    update_id: Annotated[str | None, typer.Option(help="The same id again is the same update, and its answer.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait for the answer.")] = None,
    start: Annotated[
        str | None, typer.Option(metavar="WORKFLOW", help="Start this workflow if no execution has the id.")
    ] = None,
    inputs: Annotated[
        str | None, typer.Option("--input", help="The input of --start: JSON, @FILE, or - for standard input.")
    ] = None,
) -> None:
    """Run an @update function of a workflow, and print its result."""
    if inputs is not None and start is None:
        raise InvalidRequest("--input is what --start begins with: name the workflow")
    begins = None if start is None else StartIf(start, read_json(inputs, "input"))
    value = read_json(payload, "payload")
    with session(context).client() as client:
        execution = client.execution(execution_id)
        with saying_what_it_takes(execution, "updates", name):
            result = execution.update(name, value, update_id=update_id, timeout=timeout, start=begins)
    printing.print_json(result)
