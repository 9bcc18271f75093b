"""`stepfast schedules list`, `show`, `pause`, `unpause`, `trigger` and `backfill`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import Object, clock

app = typer.Typer(
    help="Schedules: when they are due, and pausing, starting and making up by hand.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule.")]


@app.command("list")
def list_schedules(context: typer.Context, as_json: AsJson = False) -> None:
    """List the schedules with their next times."""
    schedules = list[Object]()
    with session(context).client() as client:
        cursor = None
        while True:
            page = client.schedules(limit=100, cursor=cursor)
            schedules += page["schedules"]
            if (cursor := page["next"]) is None:
                break
    if as_json:
        return printing.print_json({"schedules": schedules})
    if not schedules:
        return printing.say("the settings have no schedules: see [tool.stepfast.schedules]")
    rows = [
        [
            schedule["name"],
            schedule["workflow"],
            schedule["expression"],
            schedule["timezone"],
            _state(schedule),
            _next(schedule),
            _last(schedule),
        ]
        for schedule in schedules
    ]
    headers = ("name", "workflow", "expression", "zone", "state", "next (UTC)", "last start (UTC)")
    return printing.show_rows(headers, [list(map(printing.shown, row)) for row in rows])


@app.command("show")
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show a schedule: its next times, its last starts, and who has paused it."""
    with session(context).client() as client:
        schedule = client.schedule(name)
    _print(schedule, as_json)


@app.command("pause")
def pause(
    context: typer.Context,
    name: Name,
    why: Annotated[str, typer.Option(help="For those who look at it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Pause a schedule: nothing starts by the clock until it is unpaused."""
    with session(context).client() as client:
        _print(client.pause_schedule(name, why=why), as_json)


@app.command("unpause")
def unpause(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Unpause a schedule: it starts again from now on, and what it has missed stays missed."""
    with session(context).client() as client:
        _print(client.unpause_schedule(name), as_json)


@app.command("trigger")
def trigger(
    context: typer.Context,
    name: Name,
    id: Annotated[
        str | None, typer.Option("--id", help="The execution id; with it the command is safe to repeat.")
    ] = None,
    overlap: Annotated[
        Literal["allow", "skip", "wait", "replace"] | None, typer.Option(help="In place of the schedule's policy.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the workflow of a schedule now, also while the schedule is paused."""
    with session(context).client() as client:
        outcome = client.trigger_schedule(name, execution_id=id, overlap=overlap)
    if as_json:
        return printing.print_json(outcome)
    return printing.say(f"{outcome['execution_id']}: {_said(outcome)}")


@app.command("backfill")
def backfill(
    context: typer.Context,
    name: Name,
    since: Annotated[str, typer.Option("--from", help="A time, such as 2027-01-31T06:00:00Z; included.")],
    until: Annotated[str, typer.Option("--to", help="A time that has passed; not included.")],
    overlap: Annotated[
        Literal["allow", "wait"] | None, typer.Option(help="All at once, or schedule after the other.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start an execution for each moment of a time that has passed. A moment that has started stays as it is."""
    with session(context).client() as client:
        runs = client.backfill_schedule(name, since, until, overlap=overlap)
    if as_json:
        return printing.print_json({"runs": runs})
    rows = [[clock(run["at"]), run["execution_id"], _said(run)] for run in runs]
    return printing.show_rows(
        ("moment (UTC)", "execution", "outcome"), [list(map(printing.shown, row)) for row in rows]
    )


def _print(schedule: Object, as_json: bool) -> None:
    if as_json:
        return printing.print_json(schedule)
    printing.say(
        f"{schedule['name']} starts {schedule['workflow']} by {schedule['expression']} in {schedule['timezone']}: "
        f"{_state(schedule)}; overlap {schedule['overlap']}, jitter {schedule['jitter']} s"
    )
    if (paused := schedule["paused"]) is not None:
        by, why = (f" by {printing.shown(paused['by'])}" if paused["by"] else ""), printing.shown(paused["why"])
        printing.say(f"paused since {clock(paused['since'])}{by}{f': {why}' if why else ''}")
    if schedule["waiting"]:
        printing.say(f"{schedule['waiting']} moment(s) wait for an earlier execution to end")
    for next in schedule["next"]:
        printing.say(f"next      {clock(next['at'])}, starts {clock(next['starts_at'])}")
    for run in schedule["started"]:
        printing.say(f"started   {clock(run['at'])}  {run['execution_id']} ({_cause(run)})")
    for run in schedule["skipped"]:
        printing.say(f"skipped   {clock(run['at'])}  {run['execution_id']}: {printing.shown(run['why'])}")
    return None


def _cause(run: Object) -> str:
    return f"{run['cause']} by {printing.shown(run['by'])}" if run["by"] else str(run["cause"])


def _state(schedule: Object) -> str:
    if schedule["paused"] is not None:
        return "paused"
    return "on" if schedule["enabled"] else "off"


def _next(schedule: Object) -> str:
    return clock(schedule["next"][0]["at"]) if schedule["next"] else ""


def _last(schedule: Object) -> str:
    return clock(schedule["started"][0]["at"]) if schedule["started"] else ""


def _said(outcome: Object) -> str:
    if outcome["outcome"] == "started" and not outcome["created"]:
        return "started before"
    return f"skipped, {outcome['why']}" if outcome["outcome"] == "skipped" else str(outcome["outcome"])
