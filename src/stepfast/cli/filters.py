"""The options that choose executions, the same for every command that has them."""

from __future__ import annotations

from typing import Annotated

import typer

from stepfast.cli import completion

OfWorkflow = Annotated[str | None, typer.Option(help="Only of this workflow.", autocompletion=completion.workflows)]
OfStatus = Annotated[str | None, typer.Option(help="RUNNING, PAUSED, SUCCEEDED, FAILED, CLOSED or CANCELLED.")]
OfPrefix = Annotated[str | None, typer.Option(help="Only ids that begin with this.")]
OfPart = Annotated[str | None, typer.Option("--contains", help="Only ids that contain this.")]
OfLabels = Annotated[list[str] | None, typer.Option(help="key=value; may be repeated, all must match.")]
Since = Annotated[str | None, typer.Option(help="Started then or later: ISO 8601 or seconds since 1970.")]
Until = Annotated[str | None, typer.Option(help="Started before.")]
