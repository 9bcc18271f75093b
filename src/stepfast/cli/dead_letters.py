"""`stepfast dead-letters list`, `groups` and `replay`."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer
from rich.table import Table

from stepfast.cli import completing, printing, timeline
from stepfast.cli.session import PATIENCE, AsJson, session
from stepfast.errors import InvalidRequest

app = typer.Typer(
    help="Failed executions: list them, resume many at once.", no_args_is_help=True, rich_markup_mode=None
)

OfWorkflow = Annotated[str | None, typer.Option(help="Only of this workflow.", autocompletion=completing.workflows)]
OfStep = Annotated[str | None, typer.Option(help="Only of this step; '' for the workflow's own code.")]
WithError = Annotated[
    str | None, typer.Option(help="Only with this type of error, such as ConnectionError or billing.Declined.")
]


@app.command("list")
def list_dead_letters(
    context: typer.Context,
    workflow: OfWorkflow = None,
    step: OfStep = None,
    error: WithError = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the last one named it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List FAILED executions, newest first."""
    with session(context).client() as client:
        page = client.dead_letters(workflow, error, limit, cursor, step)
    if as_json:
        return printing.print_json(page)
    rows = []
    for one in page["dead_letters"]:
        problem = one["error"] or {"type": "", "message": ""}
        names = (printing.styled(text or "") for text in (one["execution_id"], one["workflow"], one["step"]))
        told = printing.styled(timeline.told({**problem, "step": None}), "red")
        rows.append((*names, printing.styled(timeline.clock(one["ended_at"])), told))
    if page["dead_letters"]:
        printing.show_rows(("execution", "workflow", "failed step", "failed (UTC)", "error"), rows)
    elif not page["next"]:
        printing.say("no dead letters")
    if page["next"]:
        printing.hint(f"more: --cursor {page['next']}")
    return None


@app.command()
def groups(context: typer.Context, workflow: OfWorkflow = None, as_json: AsJson = False) -> None:
    """Count FAILED executions by workflow, step and error, the most first."""
    with session(context).client() as client:
        found = client.dead_letter_groups(workflow)
    if as_json:
        return printing.print_json(found)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("count", "workflow", "failed step", "error", "resumed before", "newest", "started (UTC)"):
        right = name in ("count", "resumed before")
        table.add_column(name, overflow="fold", justify="right" if right else "left", no_wrap=name == "started (UTC)")
    names = Counter((one["workflow"], one["step"], one["error"]) for one in found["groups"])
    for one in found["groups"]:
        alike = names[one["workflow"], one["step"], one["error"]] > 1
        kind = (alike and one.get("error_class")) or one["error"]
        texts = (printing.styled(one[name] or "") for name in ("workflow", "step"))
        error, newest = printing.styled(kind or "", "red"), printing.styled(one["execution_id"])
        table.add_row(str(one["count"]), *texts, error, str(one["again"]), newest, timeline.clock(one["newest"]))
    if found["groups"]:
        printing.show(table)
    else:
        printing.say("no dead letters")
    if not found["complete"]:
        printing.complain("there are more failed executions than were looked at: the counts are too low")
    return None


@app.command()
def replay(
    context: typer.Context,
    execution_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", autocompletion=completing.failed_ids)
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Every failed execution.")] = False,
    workflow: OfWorkflow = None,
    step: OfStep = None,
    error: WithError = None,
    rate: Annotated[float | None, typer.Option(help="At most so many per second.")] = None,
    as_json: AsJson = False,
) -> None:
    """Resume failed executions: some by id, those that match, or all; exits 2 when one was refused."""
    alike = any(one is not None for one in (workflow, step, error))
    if sum((bool(execution_ids), alike, all)) != 1:
        raise InvalidRequest("say which: IDs, or any of --workflow, --step and --error, or --all")
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
            execution_ids or None, workflow=workflow, step=step, error=error, all=all, rate=rate, each=told
        )
    if as_json:
        printing.print_json(answer)
    elif not answer["results"]:
        printing.say("no dead letters")
    unmoved = sum(one.get("notice") is not None for one in answer["results"])
    if unmoved:
        printing.complain(
            f"{unmoved} of them: no failed step stood behind the failure, the code at hand runs again; "
            "to run a step again, name it: stepfast resume ID --step COMMAND"
        )
    if any(not one["resumed"] for one in answer["results"]):
        raise typer.Exit(2)
