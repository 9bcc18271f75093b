"""`stepfast run` and `stepfast watch`."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from stepfast.cli import completion, printing
from stepfast.cli.following import TooLate, raise_for, to_end
from stepfast.cli.inputs import read_json, read_labels
from stepfast.cli.session import OUTAGE_SECONDS, AsJson, session
from stepfast.client import Execution, Unreachable
from stepfast.errors import InvalidRequest

TIMED_OUT_EXIT = 124

Timeout = Annotated[float | None, typer.Option(min=0, help="Seconds to wait; then exit 124, while it runs on.")]


def run(
    context: typer.Context,
    workflow: Annotated[str, typer.Argument(autocompletion=completion.workflows)],
    input: Annotated[
        str | None, typer.Argument(metavar="[INPUT]", help="JSON, @FILE, or - for standard input; null if left out.")
    ] = None,
    input_option: Annotated[str | None, typer.Option("--input", help="The same as an option.")] = None,
    execution_id: Annotated[
        str | None, typer.Option("--id", help="Names the execution: the same command again finds it.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="key=value, to find it by; may be repeated.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end and print its result.")] = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Start an execution and print its id; with --wait follow it and print its result as JSON."""
    if input is not None and input_option is not None:
        raise InvalidRequest("the input is given twice: as an argument and as --input")
    value = read_json(input if input is not None else input_option, "input")
    execution_id = str(uuid.uuid4()) if execution_id is None else execution_id
    with session(context).client() as once, session(context).client(OUTAGE_SECONDS) as client:
        try:
            started = once.run(workflow, value, execution_id, read_labels(label or []))
        except Unreachable as error:
            if error.sent:
                printing.hint(f"it may have been started: the same command with --id {execution_id} finds out safely")
            raise
        if started.turned_into not in (None, "started"):
            printing.note(turned_note(started))
        elif not (started.created or wait):
            printing.hint(f"{started.execution_id} had been started before")
        if wait:
            execution = client.execution(started.execution_id)
            if not as_json:
                printing.note(f"{'started' if started.created else 'found'} {started.execution_id}")
            return _follow(execution, as_json=as_json, timeout=timeout, result=True)
        if as_json:
            return printing.print_json(started.describe())
    printing.say(started.execution_id)
    return printing.hint(f"follow it with: stepfast watch {started.execution_id}")


def turned_note(started: Execution[Any]) -> str:
    """What a start was turned into that has not begun an execution at once."""
    id = started.execution_id
    if started.turned_into == "skipped":
        return f"nothing was started: {id} runs, and its workflow has one at a time for its key"
    if started.turned_into == "debounced":
        return f"the start became a part of {id}, which waits for more starts and begins with this input"
    if started.turned_into == "replaced":
        return f"{id} begins once the execution that it replaces is cancelled"
    return f"{id} waits for its turn or its moment; `stepfast show {id}` tells when it begins"


def watch(
    context: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completion.ids)],
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Follow an execution until it ends; exits 1 when it failed or was cancelled."""
    with session(context).client() as once:
        once.execution(execution_id).status()  # without retries: a missing server or execution is reported at once
    with session(context).client(OUTAGE_SECONDS) as client:
        _follow(client.execution(execution_id), as_json=as_json, timeout=timeout, result=False)


def _follow(execution: Execution[Any], *, as_json: bool, timeout: float | None, result: bool) -> None:
    try:
        ended = to_end(execution, quiet=as_json, aside=result, timeout=timeout)
    except TooLate:
        printing.complain(
            f"execution {execution.execution_id!r} is still RUNNING after {timeout:g} s; "
            f"follow it with `stepfast watch {execution.execution_id}`"
        )
        raise typer.Exit(TIMED_OUT_EXIT) from None
    if as_json:
        printing.print_json(ended)
    elif ended["status"] == "SUCCEEDED" and result:
        printing.print_json(ended["result"])
    raise_for(ended)
