"""`stepfast list` and `stepfast show`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any

import typer
from rich.text import Text

from stepfast.cli import completion, folding, printing, timeline
from stepfast.cli.filters import OfLabels, OfPart, OfPrefix, OfStatus, OfWorkflow, Since, Until
from stepfast.cli.inputs import read_labels
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import Object
from stepfast.client import Execution
from stepfast.errors import ExecutionNotFound

LONGEST_SHOWN = 80
"""Characters of a status value in the list; `stepfast show` has all of it."""


def list_executions(
    context: typer.Context,
    workflow: OfWorkflow = None,
    status: OfStatus = None,
    prefix: OfPrefix = None,
    contains: OfPart = None,
    label: OfLabels = None,
    since: Since = None,
    until: Until = None,
    roots: Annotated[bool, typer.Option("--roots", help="Leave out the children of other executions.")] = False,
    parent: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only the children of this execution.", autocompletion=completion.ids),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the last one named it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    asked = None if status is None else status.upper()
    with session(context).client() as client:
        labels = read_labels(label or [])
        page = client.list(
            workflow, asked, labels, since, until, limit, cursor, prefix,
            roots=roots, parent=parent, contains=contains,
        )  # fmt: skip
    if as_json:
        return printing.print_json(page)
    rows: list[list[str | Text]] = [
        [
            printing.styled(execution["execution_id"]),
            timeline.status_text(execution["status"]),
            printing.styled(execution["workflow"]),
            timeline.clock(execution["created_at"]),
            timeline.took(execution, "created_at"),
            printing.styled(" ".join(f"{key}={value}" for key, value in execution["labels"].items())),
        ]
        for execution in page["executions"]
    ]
    headers = ["execution", "status", "workflow", "started (UTC)", "took", "labels"]
    shows = [execution.get("status_value") for execution in page["executions"]]
    if any(value is not None for value in shows):  # a column of its own where some code has called set_status()
        headers.append("shows")
        rows = [[*row, printing.styled(_told(value))] for row, value in zip(rows, shows, strict=True)]
    if page["executions"]:
        printing.show_rows(headers, rows)
    elif not page["next"]:
        printing.say("no executions")
    if page["next"]:
        began = page["executions"] or contains is None
        printing.hint(f"{'more' if began else 'none yet; look further'}: --cursor {page['next']}")
    return None


def _told(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def show(
    context: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completion.ids)],
    traceback: Annotated[bool, typer.Option("--traceback", help="With the tracebacks of its errors.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only what has failed, or had an attempt that did.")] = False,
    step: Annotated[str | None, typer.Option(metavar="NAME", help="Only the commands of this step.")] = None,
    run: Annotated[
        int | None, typer.Option(min=1, help="Which run of an execution that continues as new; else the current one.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"At most so many rows; {folding.MAX_ROWS} if left out, and all with --json or --all."
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All commands, also of an execution with more than 1,000.")
    ] = False,
    fold: Annotated[bool, typer.Option("--fold/--no-fold", help="Show many commands that are alike as one.")] = True,
    pager: Annotated[bool, typer.Option("--pager/--no-pager", help="On a terminal, page what is too long.")] = True,
    as_json: AsJson = False,
) -> None:
    """Show an execution: its commands with their tries, times and errors."""
    most = limit or folding.MAX_ROWS
    with session(context).client() as client:
        handle = client.execution(execution_id)
        execution = handle.describe(run=run)
        everywhere = every or as_json or failed or step is not None
        if execution.get("partial") and not everywhere:
            execution |= _counted(handle, most)
        is_page = execution.get("next") is not None
        commands = handle.all_commands() if is_page and everywhere else execution["commands"]
        wanted = folding.matching(commands, failed=failed, step=step)
        shown = [*islice(wanted, limit if as_json else most if is_page and not every else None)]
        waits = _waits(handle, execution, shown) if run is None else []
    if as_json:
        return printing.print_json({**execution, "commands": shown, "limit_waits": waits})
    by_command = {wait["command"]: wait for wait in waits}
    shown = [{**command, "limit_wait": by_command.get(command["id"])} for command in shown]
    rows: list[folding.Row] = folding.folded(shown) if fold and step is None else [*shown]
    first = execution.get("notable") or folding.first_of(rows, most)
    rows, left = folding.cut(rows, len(rows) if every else most)
    more: int | None = left
    if is_page and not every:
        more = left + execution["total"] - len(shown) if "total" in execution else None
    width = printing.console().width
    return printing.show(
        timeline.render(execution, traceback, rows=rows, left=more, width=width, first=first), paged=pager
    )


def _waits(handle: Execution[Any], execution: Object, commands: Sequence[Object]) -> Sequence[Object]:
    """What steps wait for, where some have not begun."""
    if execution["status"] != "RUNNING" or not any(
        command["kind"] == "step" and command["status"] in ("OPEN", "RETRYING") for command in commands
    ):
        return []
    with suppress(ExecutionNotFound):  # A server that does not know the route answers 404.
        return handle.waits()
    return []


def _counted(handle: Execution[Any], limit: int) -> dict[str, Any]:
    """What the description of a long execution lacks, as long as it is not too long for that: its counts and waits."""
    page = handle.commands(limit=min(limit, 1000))
    if page.get("partial"):
        return {}
    first = handle.commands(folding.UNFINISHED, limit=folding.FIRST)["commands"]
    names = ("commands", "next", "total", "counts", "signals_not_taken")
    return {"notable": first} | {name: page[name] for name in names if name in page}
