"""`stepfast gates list`, `close` and `open`."""

from __future__ import annotations

from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import Object, clock
from stepfast.client.values import moment

app = typer.Typer(
    help="Gates of limits: which are closed, and closing and opening them by hand.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The limit.")]
Key = Annotated[str, typer.Option(help="Which of its keys.")]
Why = Annotated[str, typer.Option(help="For those who look at it.")]


@app.command("list")
def list_gates(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="Of this limit alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the gates that are closed, opening, or have met failures."""
    with session(context).client() as client:
        page = client.gates(name)
    if as_json:
        return printing.print_json(page)
    if not page["gates"]:
        return printing.say("no gate is closed, and none has met failures")
    rows = []
    for gate in page["gates"]:
        since, probe = (clock(at) if at else "" for at in (gate["since"], gate["next_probe"]))
        why = (gate["why"] or gate["cause"]) + (f" (by {gate['by']})" if gate["by"] else "")
        rows.append([gate["name"], gate["key"], gate["status"], since, probe, str(gate["waiting"]), why])
    headers = ("name", "key", "status", "since (UTC)", "next probe", "waiting", "why")
    return printing.show_rows(headers, [list(map(printing.shown, row)) for row in rows])


@app.command("close")
def close(
    context: typer.Context,
    name: Name,
    key: Key = "",
    until: Annotated[
        str | None, typer.Option(help="A time to come, such as 2027-01-31T06:00:00Z; by default until it is opened.")
    ] = None,
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Close a gate: its steps wait, and no attempt begins."""
    with session(context).client() as client:
        _print(client.close_gate(name, key, until=moment(until), why=why), as_json)


@app.command("open")
def open_gate(context: typer.Context, name: Name, key: Key = "", why: Why = "", as_json: AsJson = False) -> None:
    """Open a gate: its steps go on at a growing rate."""
    with session(context).client() as client:
        _print(client.open_gate(name, key, why=why), as_json)


def _print(gate: Object, as_json: bool) -> None:
    if as_json:
        return printing.print_json(gate)
    of_key = f" of key {printing.shown(gate['key'])}" if gate["key"] else ""
    return printing.say(f"gate {gate['name']}{of_key} is {gate['status']}")
