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
from stepfast.standing import Intervention

if TYPE_CHECKING:
    from stepfast.cli.recorded_sources import RecordedSource
    from stepfast.engine.recorded_runs import RecordedExecution

EARLIER_RUNS = 100
"""Earlier runs that are copied of an execution, unless --runs asks for another number."""


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
    runs: Annotated[
        int, typer.Option(min=0, metavar="N", help="Earlier runs of an execution to copy at most: the latest N.")
    ] = EARLIER_RUNS,
    as_json: AsJson = False,
) -> None:
    """Copy an execution of a deployment into a local file: its runs, its children and all values.

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
        recorded = _tree(source, execution_id, runs)
    finally:
        source.close()
    _write(target, recorded)
    root = recorded[0].execution
    paused = sum(each.execution.status == "RUNNING" for each in recorded)
    earlier = sum(len(each.earlier) for each in recorded)
    if as_json:
        ids = [each.execution.execution_id for each in recorded]
        copied = {"file": str(target), "execution_ids": ids, "paused": paused, "earlier_runs": earlier}
        return printing.print_json(copied)
    children = len(recorded) - 1
    with_them = f" with {children} child{'' if children == 1 else 'ren'}" if children else ""
    if earlier:
        with_them += f"{' and' if with_them else ' with'} {earlier} earlier run{'' if earlier == 1 else 's'}"
    printing.say(f"copied {root.execution_id}{with_them} to {target}")
    if any(each.execution.run > 1 and len(each.earlier) == runs for each in recorded):
        printing.note(f"of each execution the latest {runs} earlier runs at most are copied: --runs asks for more")
    printing.note(f"{target} holds the recorded values, with whatever personal data is in them: keep and delete it so")
    go_on = f"stepfast dev --db {target}"
    if root.status == "RUNNING":
        go_on += f", then `stepfast unpause {root.execution_id}`: steps that are not recorded will run here"
    elif root.status == "FAILED":
        go_on += f", then `stepfast resume {root.execution_id}`: its steps will run here"
    return printing.hint(f"go on with {go_on}")


def _tree(source: RecordedSource, execution_id: str, runs: int) -> list[RecordedExecution]:
    """The execution at the top, and all below it, also below its earlier runs."""
    top = source.recorded(execution_id, runs)
    if top.execution.link is not None and top.execution.is_child:
        top = source.recorded(top.execution.link.root, runs)
    tree: list[RecordedExecution] = []
    waiting, seen = [top], {top.execution.execution_id}
    while waiting:
        recorded = waiting.pop(0)
        tree.append(recorded)
        for child in (
            id for run in recorded.runs for record in run.snapshot.records.values() for id in record.children
        ):
            if child in seen:
                continue
            seen.add(child)
            try:
                waiting.append(source.recorded(child, runs))
            except ExecutionNotFound:
                continue  # It has expired or was deleted; its parent has its outcome.
    return tree


def _write(path: Path, recorded: Sequence[RecordedExecution]) -> None:
    from stepfast.backends.sqlite.file import SqliteFile
    from stepfast.backends.sqlite.importing import put_all

    hand = Intervention("pause", time.time(), why="stepfast pull: it runs elsewhere")
    file = SqliteFile(path)
    try:
        asyncio.run(put_all(file, recorded, hand))
    finally:
        file.close()
