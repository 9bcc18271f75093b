"""`stepfast export`: executions as JSON lines or CSV, by the filters of `stepfast list`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from stepfast.cli import export_files, export_lines, export_pages, printing
from stepfast.cli.filters import OfLabels, OfPrefix, OfStatus, OfWorkflow, Since, Until
from stepfast.cli.inputs import read_labels
from stepfast.cli.session import OUTAGE_SECONDS, session
from stepfast.client import Client
from stepfast.errors import InvalidRequest

Format = Literal["jsonl", "csv"]


def export(
    context: typer.Context,
    workflow: OfWorkflow = None,
    status: OfStatus = None,
    prefix: OfPrefix = None,
    label: OfLabels = None,
    since: Since = None,
    until: Until = None,
    all: Annotated[
        bool, typer.Option("--all", help="All of each: commands with their attempts, signals and history, too.")
    ] = False,
    run: Annotated[
        int | None,
        typer.Option(min=1, help="With --all: this run of executions that continue as new; else the current one."),
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="JSON lines or CSV; by default what the name of --output ends with.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file; it appears when it is complete. - is standard output.")
    ] = Path("-"),
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on with an interrupted export to this file, by the same filters.")
    ] = False,
) -> None:
    """Write executions, newest first, each with its input, result and error: a line of JSON or of CSV each."""
    style: Format = format or ("csv" if output.suffix.lower() == ".csv" else "jsonl")
    if all and style == "csv":
        raise InvalidRequest("--all has no table: export JSON lines (--format jsonl), or leave --all out")
    if run is not None and not all:
        raise InvalidRequest("--run is about commands and history: add --all, or leave --run out")
    if go_on and not export_files.is_replaced(output):
        raise InvalidRequest("--continue needs the file of the interrupted export: name it by --output")
    query = {
        "workflow": workflow,
        "status": None if status is None else status.upper(),
        "labels": read_labels(label or []),
        "since": since,
        "until": until,
        "prefix": prefix,
    }
    settings = session(context)
    subject = json.dumps([settings.url, query, all, style, *([] if run is None else [run])], sort_keys=True)
    with settings.client() as once:
        once.health()  # without retries: a server that is not there is reported at once
    with settings.client(OUTAGE_SECONDS) as client:
        target = export_files.opened(output, hashlib.sha256(subject.encode()).hexdigest(), go_on)
        with target as file:
            left_out = _write(client, file, query, style, all, run)
    count = f"{file.executions} execution{'' if file.executions == 1 else 's'}"
    if export_files.is_replaced(output):
        printing.say(f"exported {count} to {output}")
    if left_out:
        printing.complain(
            f"{left_out} of them have values that are larger than the server can answer: these are null, and `omitted` "
            "names them"
        )
        raise typer.Exit(2)


def _write(
    client: Client,
    file: export_files.ExportStream,
    query: export_pages.Query,
    style: Format,
    all: bool,
    run: int | None,
) -> int:
    """Writes page by page. Returns how many executions lack a value."""
    if style == "csv" and not file.bytes:
        file.write(export_lines.csv_header())
    left_out = 0
    for page in export_pages.executions(client, query, file.cursor):
        for execution in page["executions"]:
            omitted = bool(execution.get("omitted"))
            if all:
                whole = export_pages.whole(client, execution, query["status"], run)
                if whole is None:
                    continue
                if not _copy(whole, file):
                    continue
                omitted = whole.omitted
            else:
                file.write(export_lines.csv_row(execution) if style == "csv" else export_lines.json_line(execution))
            file.executions += 1
            left_out += omitted
        file.keep(page["next"])
    return left_out


def _copy(whole: export_pages.Whole, file: export_files.ExportStream) -> bool:
    """Writes the line of a whole execution. False if the execution was deleted while it was read."""
    before = file.bytes
    with export_lines.spooled(whole) as line:
        while piece := line.read(export_lines.PIECE_BYTES):
            file.write(piece)
    return file.bytes > before
