"""`stepfast list` and `stepfast show`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from stepfast.cli import printing, timeline
from stepfast.cli.inputs import read_labels
from stepfast.cli.session import AsJson, session


def list_executions(
    context: typer.Context,
    workflow: Annotated[str | None, typer.Option(help="Only of this workflow.")] = None,
    status: Annotated[str | None, typer.Option(help="RUNNING, SUCCEEDED, FAILED or CANCELLED.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Only ids that begin with this.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="key=value; may be repeated, all must match.")] = None,
    since: Annotated[str | None, typer.Option(help="Started then or later: ISO 8601 or seconds since 1970.")] = None,
    until: Annotated[str | None, typer.Option(help="Started before.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the last one named it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    asked = None if status is None else status.upper()
    with session(context).client() as client:
        page = client.list(workflow, asked, read_labels(label or []), since, until, limit, cursor, prefix)
    if as_json:
        return printing.print_json(page)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("execution", "workflow", "status", "started (UTC)", "took", "labels"):
        table.add_column(name, overflow="fold", no_wrap=name not in ("labels", "execution", "workflow"))
    for one in page["executions"]:
        labels = " ".join(f"{key}={value}" for key, value in one["labels"].items())
        table.add_row(
            printing.styled(one["execution_id"]),
            printing.styled(one["workflow"]),
            timeline.status_text(one["status"]),
            timeline.clock(one["created_at"]),
            timeline.took(one, "created_at"),
            printing.styled(labels),
        )
    if page["executions"]:
        printing.show(table)
    elif not page["next"]:
        printing.say("no executions")
    if page["next"]:
        printing.hint(f"more: --cursor {page['next']}")
    return None


def show(
    context: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="ID")],
    traceback: Annotated[bool, typer.Option("--traceback", help="With the tracebacks of its errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an execution: its commands with their tries, times and errors."""
    with session(context).client() as client:
        execution = client.execution(execution_id).describe()
    if as_json:
        return printing.print_json(execution)
    return printing.show(timeline.render(execution, traceback))
