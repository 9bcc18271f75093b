"""`stepfast repair`: gives a step its result by hand, skips it, or changes its next input."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stepfast.cli import printing
from stepfast.cli.inputs import read_json
from stepfast.cli.session import AsJson, session
from stepfast.cli.steering import Id

_JSON = "JSON, @FILE, or - for standard input."


def repair(
    context: typer.Context,
    execution_id: Id,
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="The step, as `stepfast show` names it.")],
    result: Annotated[str | None, typer.Option(metavar="VALUE", help=f"The result of the step: {_JSON}")] = None,
    skip: Annotated[bool, typer.Option("--skip", help="The result is null, which the step's type must allow.")] = False,
    input: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help=f"All arguments of the next attempt, an object by their names: {_JSON}"),
    ] = None,
    why: Annotated[str | None, typer.Option(help="For the history.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give a step its result by hand, skip it, or change its next input; a FAILED execution then runs on."""
    if (result is not None) + skip + (input is not None) != 1:
        raise typer.BadParameter("a repair is exactly one of --result VALUE, --skip and --input VALUE")
    chosen: dict[str, Any] = {"skip": True} if skip else {}
    if result is not None:
        chosen = {"result": read_json(result, "result")}
    if input is not None:
        chosen = {"input": read_json(input, "input")}
        if not isinstance(chosen["input"], dict):
            raise typer.BadParameter('--input is an object of all arguments, such as {"amount": 5}')
    with session(context).client() as client:
        repaired = client.execution(execution_id).repair(command, **chosen, why=why)
    if as_json:
        return printing.print_json(repaired)
    return printing.say(f"repaired {printing.shown(command)} of {execution_id}")
