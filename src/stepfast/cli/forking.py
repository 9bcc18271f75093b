"""`stepfast fork`: starts an execution with what another has recorded, up to a command."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from stepfast.cli import printing
from stepfast.cli.inputs import read_json, read_labels
from stepfast.cli.session import AsJson, session
from stepfast.cli.steering import Id


class ChildrenOfForks(StrEnum):
    RELINK = "relink"
    COPY = "copy"


def fork(
    context: typer.Context,
    execution_id: Id,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND", help="The command that runs anew, as `stepfast show` names it; else the failure."
        ),
    ] = None,
    input: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help="In place of the input: JSON, @FILE, or - for standard input."),
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="key=value, in place of the labels; may be repeated.")] = None,
    new_id: Annotated[
        str | None, typer.Option("--id", metavar="NEW", help="Names the fork: the same command again finds it.")
    ] = None,
    children: Annotated[
        ChildrenOfForks, typer.Option(help="Take over the outcomes of children, or copy children that have ended.")
    ] = ChildrenOfForks.RELINK,
    why: Annotated[str | None, typer.Option(help="For the history.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start an execution with what another has recorded before a command, or before its failure; print its id."""
    chosen: dict[str, Any] = {} if input is None else {"input": read_json(input, "input")}
    if label:
        chosen["labels"] = read_labels(label)
    with session(context).client() as client:
        forked = client.execution(execution_id).fork(new_id, before=before, children=children.value, why=why, **chosen)
        if as_json:
            return printing.print_json(forked.describe())
    if not forked.created:
        printing.hint(f"{forked.execution_id} had been forked before")
    printing.say(forked.execution_id)
    return printing.hint(f"follow it with: stepfast watch {forked.execution_id}")
