"""`stepfast dead-letters list` and `replay`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from stepfast.cli import printing, timeline
from stepfast.cli.session import PATIENCE, AsJson, session
from stepfast.errors import InvalidRequest

app = typer.Typer(
    help="Failed executions: list them, resume many at once.", no_args_is_help=True, rich_markup_mode=None
)

OfWorkflow = Annotated[str | None, typer.Option(help="Only of this workflow.")]
WithError = Annotated[str | None, typer.Option(help="Only with this type of error, such as ConnectionError.")]


@app.command("list")
def list_dead_letters(
    context: typer.Context,
    workflow: OfWorkflow = None,
    error: WithError = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the last one named it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List FAILED executions, newest first."""
    with session(context).client() as client:
        page = client.dead_letters(workflow, error, limit, cursor)
    if as_json:
        return printing.print_json(page)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("execution", "workflow", "failed step", "error", "failed (UTC)"):
        table.add_column(name, overflow="fold", no_wrap=name == "failed (UTC)")
    for one in page["dead_letters"]:
        problem = one["error"] or {"type": "", "message": ""}
        table.add_row(
            printing.styled(one["execution_id"]),
            printing.styled(one["workflow"]),
            printing.styled(one["step"] or ""),
            printing.styled(timeline.told({**problem, "step": None}), "red"),
            timeline.clock(one["ended_at"]),
        )
    if page["dead_letters"]:
        printing.show(table)
    elif not page["next"]:
        printing.say("no dead letters")
    if page["next"]:
        printing.hint(f"more: --cursor {page['next']}")
    return None


@app.command()
def replay(
    context: typer.Context,
    execution_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    all: Annotated[bool, typer.Option("--all", help="Every failed execution.")] = False,
    workflow: OfWorkflow = None,
    error: WithError = None,
    rate: Annotated[float | None, typer.Option(help="At most so many per second.")] = None,
    as_json: AsJson = False,
) -> None:
    """Resume failed executions: some by id, those that match, or all; exits 2 when one was refused."""
    if sum((bool(execution_ids), workflow is not None or error is not None, all)) != 1:
        raise InvalidRequest("say which: IDs, or --workflow and/or --error, or --all")
    if rate is not None and not 0 < rate <= 1000:
        raise InvalidRequest("--rate is above 0 and at most 1000 per second")

    def told(one: dict[str, Any]) -> None:
        if not one["resumed"]:
            printing.complain(one["refused"])
        elif not as_json:
            printing.say(f"resumed {one['execution_id']}")

    with session(context).client() as once:
        once.health()
    with session(context).client(PATIENCE) as client:
        answer = client.replay_dead_letters(
            execution_ids or None, workflow=workflow, error=error, all=all, rate=rate, each=told
        )
    if as_json:
        printing.print_json(answer)
    elif not answer["results"]:
        printing.say("no dead letters")
    if any(not one["resumed"] for one in answer["results"]):
        raise typer.Exit(2)
