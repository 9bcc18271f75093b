"""`stepfast audit`: who has asked for which change, when and why, and what came of it."""

from __future__ import annotations

from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import Object, clock


def audit(
    context: typer.Context,
    execution: Annotated[str | None, typer.Option(metavar="ID", help="Of one execution or job.")] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Of a key of this name, or a subject.")] = None,
    action: Annotated[str | None, typer.Option(help="Of one kind, such as cancel or set-limit.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From this time on, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    limit: Annotated[int, typer.Option(help="The most lines.", min=1, max=100_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List who has changed what, the newest first."""
    lines, cursor = list[Object](), None
    with session(context).client() as client:
        while len(lines) < limit:
            page = client.audit(
                execution_id=execution,
                by=by,
                action=action,
                since=since,
                until=until,
                limit=min(1000, limit - len(lines)),
                cursor=cursor,
            )
            lines += page["lines"]
            if (cursor := page["next"]) is None:
                break
    if as_json:
        return printing.print_json({"lines": lines, "next": cursor})
    if not lines:
        return printing.say("no changes are listed")
    rows = [
        [
            clock(line["at"]),
            line["by"] or "-",
            line["action"],
            line["execution_id"] or (str(line["count"]) + " executions" if line["count"] else "-"),
            line["target"] or "-",
            line["outcome"] if line["outcome"] in ("asked", "done") else f"{line['outcome']} ({line['status']})",
            line["why"] or "",
        ]
        for line in lines
    ]
    headers = ("at (UTC)", "by", "action", "execution", "target", "outcome", "why")
    printing.show_rows(headers, [list(map(printing.shown, row)) for row in rows])
    if cursor is not None:
        printing.say("there are more: ask with a larger --limit, or --until the last time above")
    return None
