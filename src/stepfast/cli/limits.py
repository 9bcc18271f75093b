"""`stepfast limits list`, `show`, `set` and `reset`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import Object, clock

app = typer.Typer(
    help="Limits of steps: what is taken, who waits, and other numbers while steps run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The limit.")]


@app.command("list")
def list_limits(context: typer.Context, as_json: AsJson = False) -> None:
    """List the limits with the numbers that hold now."""
    with session(context).client() as client:
        limits = client.limits()
    if as_json:
        return printing.print_json({"limits": limits})
    if not limits:
        return printing.say("no limits")
    rows = [[limit["name"], *_numbers(limit), _kind(limit), _set_by(limit)] for limit in limits]
    return printing.show_rows(
        ("name", "rate", "at once", "keys", "set by"), [list(map(printing.shown, row)) for row in rows]
    )


@app.command("show")
def show(
    context: typer.Context,
    name: Name,
    limit: Annotated[int, typer.Option(help="The most keys of a page.", min=1, max=100)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The `next` of an earlier page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a limit and its keys in use: what is taken, how many wait, and since when."""
    with session(context).client() as client:
        shown = client.limit(name, limit, cursor)
    if as_json:
        return printing.print_json(shown)
    rate, at_once = _numbers(shown)
    by = _set_by(shown)
    printing.say(f"{shown['name']}: rate {rate}, at once {at_once}" + (f", set by {by}" if by else ""))
    rows = []
    for key in shown["keys"]:
        part = f" (shard {key['shard']})" if shown["shards"] > 1 else ""
        times = [clock(at) if at else "" for at in (key["next_at"], key["waiting_since"])]
        first = next((f"{step['execution_id']} {step['command']}" for step in key["first"]), "")
        name = printing.shown(key["key"]) + part
        rows.append([name, str(key["taken"]), times[0], str(key["waiting"]), times[1], printing.shown(first)])
    if rows:
        printing.show_rows(("key", "taken", "next at (UTC)", "waiting", "since (UTC)", "first"), rows)
    if shown["next"]:
        printing.hint(f"more: stepfast limits show {name} --cursor {shown['next']}")
    return None


@app.command("set")
def set_limit(
    context: typer.Context,
    name: Name,
    rate: Annotated[float | None, typer.Option(help="Attempts that may begin in --per seconds.")] = None,
    per: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    burst: Annotated[int | None, typer.Option(help="Attempts that may begin at one moment.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Attempts that may run at once.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change numbers of a limit while steps run; they win over code until `stepfast limits reset`."""
    with session(context).client() as client:
        _print(client.set_limit(name, rate=rate, per=per, burst=burst, concurrency=concurrency), as_json)


@app.command("reset")
def reset(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Go back to the numbers of the code."""
    with session(context).client() as client:
        _print(client.reset_limit(name), as_json)


def _print(limit: Object, as_json: bool) -> None:
    if as_json:
        return printing.print_json(limit)
    rate, at_once = _numbers(limit)
    return printing.say(f"{limit['name']}: rate {rate}, at once {at_once}")


def _numbers(limit: dict[str, Any]) -> tuple[str, str]:
    numbers = limit["numbers"]
    rate = "-" if numbers["rate"] is None else f"{numbers['rate']:g} per {numbers['per']:g} s"
    if (numbers["burst"] or 1) > 1:
        rate += f", burst {numbers['burst']}"
    return rate, "-" if numbers["concurrency"] is None else str(numbers["concurrency"])


def _kind(limit: dict[str, Any]) -> str:
    return "shared" if limit["shared"] else "each"


def _set_by(limit: dict[str, Any]) -> str:
    by = limit["set_by"]
    return "" if by is None else by or "hand"
