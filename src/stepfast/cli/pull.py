"""`stepfast pull`: a local file of an execution of a deployment, with its children and its values."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.session import OUTAGE_SECONDS, AsJson, session
from stepfast.errors import ExecutionNotFound, InvalidRequest
from stepfast.model import Event, Snapshot
from stepfast.standing import Intervention

if TYPE_CHECKING:
    from stepfast.cli.recorded_sources import RecordedSource


def pull(
    context: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="ID")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file, made when missing; ID.db by default.")
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Read the table of a deployment, with AWS credentials.")
    ] = None,
    bucket: Annotated[str | None, typer.Option(help="With --table: the bucket of large values.")] = None,
    region: Annotated[
        str | None, typer.Option(help="With --table: by default where AWS_REGION or your profile says.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy an execution of a deployment into a local file: its current run, its children and all values.

    Nothing changes in the deployment, and nothing begins in the file: a RUNNING execution is PAUSED there, and a FAILED
    one waits to be resumed. Go on with `stepfast dev --db FILE`, or in a test with `Environment.load`. The file holds
    the values as they were recorded. Of a child the execution at the top is copied.
    """
    target = output or Path(f"{execution_id}.db")
    if table is None and (bucket is not None or region is not None):
        raise InvalidRequest("--bucket and --region are about a table: add --table")
    # Imported here, so that other commands do not pay for importing the engine.
    from stepfast.cli.recorded_sources import ApiSource, of_table

    source: RecordedSource = (
        ApiSource(session(context).client(OUTAGE_SECONDS)) if table is None else of_table(table, bucket, region)
    )
    try:
        recorded = _tree(source, execution_id)
    finally:
        source.close()
    _write(target, recorded)
    root = recorded[0][0].execution
    paused = sum(snapshot.execution.status == "RUNNING" for snapshot, _ in recorded)
    if as_json:
        ids = [snapshot.execution.execution_id for snapshot, _ in recorded]
        return printing.print_json({"file": str(target), "execution_ids": ids, "paused": paused})
    children = len(recorded) - 1
    with_them = f" with {children} child{'' if children == 1 else 'ren'}" if children else ""
    printing.say(f"copied {root.execution_id}{with_them} to {target}")
    printing.note(f"{target} holds the recorded values, with whatever personal data is in them: keep and delete it so")
    go_on = f"stepfast dev --db {target}"
    if root.status == "RUNNING":
        go_on += f", then `stepfast unpause {root.execution_id}`: steps that are not recorded will run here"
    elif root.status == "FAILED":
        go_on += f", then `stepfast resume {root.execution_id}`: its steps will run here"
    return printing.hint(f"go on with {go_on}")


def _tree(source: RecordedSource, execution_id: str) -> list[tuple[Snapshot, Sequence[Event]]]:
    """The execution at the top, and all below it."""
    top = source.load(execution_id)
    if top.execution.link is not None and top.execution.is_child:
        top = source.load(top.execution.link.root)
    recorded: list[tuple[Snapshot, Sequence[Event]]] = []
    waiting, seen = [top], {top.execution.execution_id}
    while waiting:
        snapshot = waiting.pop(0)
        recorded.append((snapshot, source.history(snapshot.execution.execution_id)))
        for record in snapshot.records.values():
            for child in record.children:
                if child in seen:
                    continue
                seen.add(child)
                try:
                    waiting.append(source.load(child))
                except ExecutionNotFound:
                    continue  # It has expired or was deleted; its parent has its outcome.
    return recorded


def _write(path: Path, recorded: Sequence[tuple[Snapshot, Sequence[Event]]]) -> None:
    from stepfast.backends.sqlite.file import SqliteFile
    from stepfast.backends.sqlite.importing import put_all

    hand = Intervention("pause", time.time(), why="stepfast pull: it runs elsewhere")
    file = SqliteFile(path)
    try:
        asyncio.run(put_all(file, recorded, hand))
    finally:
        file.close()
