"""`stepfast results`: the items of an execution's maps with their results, as JSON lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from stepfast.cli import completion, printing
from stepfast.cli.session import OUTAGE_SECONDS, session
from stepfast.client import Execution
from stepfast.errors import InvalidRequest


def results(
    context: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completion.ids)],
    failed: Annotated[bool, typer.Option("--failed", help="Only what has failed.")] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file; it appears when it is complete. - is standard output.")
    ] = Path("-"),
) -> None:
    """Write what map_items() has run, a line of JSON for each item, in the order of the items."""
    with session(context).client(retry_for=OUTAGE_SECONDS) as client:
        items = _items(client.execution(execution_id), failed)
        if output == Path("-"):
            for item in items:
                sys.stdout.write(_line(item))
            return
        printing.note(f"{_write(items, output):,} items in {output}")


def _items(execution: Execution[Any], failed: bool) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = execution.map_results(failed, cursor=cursor)
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def _write(items: Iterator[dict[str, Any]], output: Path) -> int:
    if output.is_dir():
        raise InvalidRequest(f"{output} is a folder: name a file")
    part, count = output.with_name(f"{output.name}.part"), 0
    with part.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(_line(item))
            count += 1
    os.replace(part, output)
    return count


def _line(item: dict[str, Any]) -> str:
    return json.dumps(item, ensure_ascii=False) + "\n"
