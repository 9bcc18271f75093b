"""`stepfast dev`: the embedded runtime, or a played AWS, and its API in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stepfast.errors import InvalidRequest, StartupError

EMBEDDED = ("db", "durability", "workers", "grace")
PLAYED_WITH = ("boto3", "botocore", "moto", "time_machine")


def dev(
    context: typer.Context,
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
    grace: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds that running steps get to end when it is told to end.")
    ] = 8.0,
    log_values: Annotated[
        bool,
        typer.Option(
            "--log-values",
            envvar="STEPFAST_LOG_VALUES",
            help="Log inputs, outputs and errors, each cut at 2,000 characters.",
        ),
    ] = False,
    reload: Annotated[
        bool, typer.Option("--reload/--no-reload", help="Begin anew when the code of the workflows changes.")
    ] = True,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="How standard error is written: text, or a JSON object a line.")
    ] = "text",
    cloud: Annotated[
        Literal["moto"] | None,
        typer.Option(help="Run the Lambda functions on a played AWS instead, in memory: to try out a deployment."),
    ] = None,
) -> None:
    """Find the workflows, run their executions, serve the API; ends with Ctrl-C and goes on from there."""
    try:
        if cloud is None:
            # Imported here, so that other commands do not pay for importing the engine.
            from stepfast.local.dev import serve

            serve(workflows, db, host, port, durability, workers, log_values, grace, log_format, reload)
        else:
            _played(context, workflows, host, port, log_values, log_format, reload)
    except KeyboardInterrupt:
        pass  # interrupted before it was ready


def _played(
    context: typer.Context,
    workflows: Path,
    host: str,
    port: int,
    log_values: bool,
    log_format: Literal["text", "json"],
    reload: bool,
) -> None:
    for name in EMBEDDED:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise InvalidRequest(f"--{name} is for the embedded runtime: leave it out, or leave out --cloud")
    try:
        from stepfast.local.cloud.dev import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PLAYED_WITH:
            raise
        advice = "pip install 'stepfast[cloud-testing]'"
        raise StartupError(f"stepfast dev --cloud moto simulates AWS with moto: {advice}") from error
    serve(workflows, host, port, log_values, log_format, reload)
