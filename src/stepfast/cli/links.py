"""`stepfast links list`, `keys` and `rotate`."""

from __future__ import annotations

from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import Object, clock

app = typer.Typer(
    help="Answer links: which are open, and the keys that sign them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_links(
    context: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")],
    as_json: AsJson = False,
) -> None:
    """List the links of an execution that wait for an answer. `stepfast signal ID NAME` answers for somebody."""
    with session(context).client() as client:
        links = client.links(execution_id)
    if as_json:
        return printing.print_json({"links": links})
    if not links:
        return printing.say("it waits for no answer by a link")
    times = ("opened_at", "expires_at", "last_heartbeat_at")
    rows = [[link["name"], link["command"], *(clock(link[at]) if link[at] else "" for at in times)] for link in links]
    headers = ("name", "command", "opened (UTC)", "expires (UTC)", "last heartbeat (UTC)")
    return printing.show_rows(headers, [list(map(printing.shown, row)) for row in rows])


@app.command("keys")
def list_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List the keys whose links are taken, never the keys themselves."""
    with session(context).client() as client:
        _print(client.link_keys(), as_json)


@app.command("rotate")
def rotate(
    context: typer.Context,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Withdraw all links that were made before, within a minute.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign new links with a new key; links that were made before are taken until they expire."""
    with session(context).client() as client:
        _print(client.rotate_link_keys(revoke=revoke), as_json)


def _print(keys: list[Object], as_json: bool) -> None:
    if as_json:
        return printing.print_json({"keys": keys})
    if not keys:
        return printing.say("no key yet: the first link makes one")
    signing = "it signs new links"
    rows = [[key["id"], clock(key["created_at"]), clock(key["until"]) if key["until"] else signing] for key in keys]
    headers = ("id", "made (UTC)", "links taken until (UTC)")
    return printing.show_rows(headers, [list(map(printing.shown, row)) for row in rows])
