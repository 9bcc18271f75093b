"""`stepfast workflows list`, `pause` and `unpause`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stepfast.cli import completion, printing
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import clock

app = typer.Typer(
    help="Workflows: what is deployed, and pausing one, so that what starts of it is held.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The workflow.", autocompletion=completion.workflows)]


@app.command("list")
def list_workflows(context: typer.Context, as_json: AsJson = False) -> None:
    """List the workflows that are deployed, and which of them are paused."""
    with session(context).client() as client:
        workflows = client.workflows()
    if as_json:
        return printing.print_json({"workflows": workflows})
    if not workflows:
        return printing.say("no workflows")
    rows = [[workflow["name"], _state(workflow), workflow["description"]] for workflow in workflows]
    return printing.show_rows(("name", "state", "description"), [list(map(printing.shown, row)) for row in rows])


@app.command("pause")
def pause(
    context: typer.Context,
    name: Name,
    why: Annotated[str | None, typer.Option(help="For the history of what is held.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pause a workflow: starts are accepted and recorded, and begin once it is unpaused."""
    with session(context).client() as client:
        paused = client.pause_workflow(name, why=why)
    if as_json:
        return printing.print_json(paused)
    return printing.say(f"{printing.shown(name)}: {printing.shown(_state(paused))}")


@app.command("unpause")
def unpause(
    context: typer.Context,
    name: Name,
    why: Annotated[str | None, typer.Option(help="For the history of what is let go.")] = None,
    rate: Annotated[float | None, typer.Option(help="Held executions that go on in a second.", min=0)] = None,
    as_json: AsJson = False,
) -> None:
    """Unpause a workflow: new starts begin at once, and a bulk job lets go what was held."""
    with session(context).client() as client:
        unpaused = client.unpause_workflow(name, why=why, rate=rate)
    if as_json:
        return printing.print_json(unpaused)
    printing.say(f"{printing.shown(name)}: not paused any more")
    return printing.hint(f"what was held goes on: stepfast jobs show {unpaused['job_id']}")


def _state(workflow: dict[str, Any]) -> str:
    pause = workflow["paused"]
    if pause is None:
        return ""
    by, why = (f" by {pause['by']}" if pause["by"] else ""), (f": {pause['why']}" if pause["why"] else "")
    return f"paused since {clock(pause['at'])}{by}{why}"
