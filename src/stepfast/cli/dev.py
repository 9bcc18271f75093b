"""`stepfast dev`: the embedded runtime and its API in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def dev(
    workflows: Annotated[Path, typer.Option(help="The folder of workflows.")] = Path("workflows"),
    db: Annotated[Path, typer.Option(help="The file that holds everything; made when missing.")] = Path(
        ".stepfast/dev.db"
    ),
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback set STEPFAST_API_KEYS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8787,
    durability: Annotated[
        Literal["full", "process"],
        typer.Option(help="full survives power loss, process the death of the process."),
    ] = "full",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker threads.")] = 2,
) -> None:
    """Find the workflows, run their executions, serve the API; ends with Ctrl-C and goes on from there."""
    # Here, so that the other commands do not wait for the engine to be imported.
    from stepfast.local.dev import serve

    try:
        serve(workflows, db, host, port, durability, workers)
    except KeyboardInterrupt:
        pass  # asked to end before it had begun
