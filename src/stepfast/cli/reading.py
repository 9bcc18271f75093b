"""`stepfast list` and `stepfast show`."""

from __future__ import annotations

from typing import Annotated

import typer

from stepfast.cli import completion, folding, printing, timeline
from stepfast.cli.filters import OfLabels, OfPrefix, OfStatus, OfWorkflow, Since, Until
from stepfast.cli.inputs import read_labels
from stepfast.cli.session import AsJson, session


def list_executions(
    context: typer.Context,
    workflow: OfWorkflow = None,
    status: OfStatus = None,
    prefix: OfPrefix = None,
    label: OfLabels = None,
    since: Since = None,
    until: Until = None,
    roots: Annotated[bool, typer.Option("--roots", help="Leave out the children of other executions.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the last one named it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    asked = None if status is None else status.upper()
    with session(context).client() as client:
        page = client.list(workflow, asked, read_labels(label or []), since, until, limit, cursor, prefix, roots=roots)
    if as_json:
        return printing.print_json(page)
    rows = [
        (
            printing.styled(execution["execution_id"]),
            timeline.status_text(execution["status"]),
            printing.styled(execution["workflow"]),
            timeline.clock(execution["created_at"]),
            timeline.took(execution, "created_at"),
            printing.styled(" ".join(f"{key}={value}" for key, value in execution["labels"].items())),
        )
        for execution in page["executions"]
    ]
    if page["executions"]:
        printing.show_rows(("execution", "status", "workflow", "started (UTC)", "took", "labels"), rows)
    elif not page["next"]:
        printing.say("no executions")
    if page["next"]:
        printing.hint(f"more: --cursor {page['next']}")
    return None


def show(
    context: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completion.ids)],
    traceback: Annotated[bool, typer.Option("--traceback", help="With the tracebacks of its errors.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only what has failed, or had an attempt that did.")] = False,
    step: Annotated[str | None, typer.Option(metavar="NAME", help="Only the commands of this step.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help=f"At most so many rows; {folding.MAX_ROWS} if left out, and all with --json."),
    ] = None,
    fold: Annotated[bool, typer.Option("--fold/--no-fold", help="Show many commands that are alike as one.")] = True,
    pager: Annotated[bool, typer.Option("--pager/--no-pager", help="On a terminal, page what is too long.")] = True,
    as_json: AsJson = False,
) -> None:
    """Show an execution: its commands with their tries, times and errors."""
    with session(context).client() as client:
        execution = client.execution(execution_id).describe()
    commands = folding.chosen(execution["commands"], failed=failed, step=step)
    if as_json:
        return printing.print_json({**execution, "commands": commands[:limit]})
    rows: list[folding.Row] = folding.folded(commands) if fold and step is None else [*commands]
    rows, left = folding.cut(rows, limit or folding.MAX_ROWS)
    width = printing.console().width
    return printing.show(timeline.render(execution, traceback, rows=rows, left=left, width=width), paged=pager)
