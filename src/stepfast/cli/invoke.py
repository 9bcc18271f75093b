"""`stepfast invoke FUNCTION FILE`: a function of the stack on this machine, with moto in AWS's place."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing, redirect_stdout
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stepfast.cli import printing
from stepfast.deployment.own_functions import FOLDER, KINDS, own_functions
from stepfast.errors import InvalidRequest, StartupError, StepfastError

if TYPE_CHECKING:
    from stepfast.deployment.settings import Auth, Settings
    from stepfast.functions.clients import Clients
    from stepfast.functions.host import LoopCaller
    from stepfast.language.registry import Registry

REGION, ACCOUNT = "eu-central-1", "123456789012"


def invoke(
    function: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Events as JSON, invoked one after the other.")
    ],
    workflows: Annotated[Path, typer.Option(help="The folder of workflows.")] = Path("workflows"),
    pool: Annotated[str, typer.Option(help="For step: whose function it is.")] = "default",
    auth: Annotated[
        Literal["keys", "iam"], typer.Option(help="For api: how callers are let in, as in [tool.stepfast].")
    ] = "keys",
) -> None:
    """Run a function's handler on sample events and print its answers.

    AWS is moto, and empty at first: what one event has written the next ones find. Nothing leaves this machine.
    Where the folder has a file functions/FUNCTION.py, its handler is run, as it would be deployed.
    """
    if function not in KINDS:
        raise InvalidRequest(f"there is no function {function!r}; there are: {', '.join(KINDS)}")
    events = [(path, _event(path)) for path in files]
    # Imported here: other commands work without moto, which need not be installed.
    try:
        from moto import mock_aws
    except ImportError as error:
        raise StartupError("stepfast invoke simulates AWS with moto: pip install 'stepfast[cloud-testing]'") from error

    from stepfast.functions.host import OneLoop

    with mock_aws(), closing(OneLoop()) as call:
        handler = _handler(function, workflows, pool, auth, call)
        for path, event in events:
            printing.print_json(_answer(handler, function, path, event))


def _event(path: Path) -> Any:
    try:
        event = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InvalidRequest(f"{path} is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise InvalidRequest(f"{path} holds no event: an event is a JSON object")
    return event


def _handler(function: str, workflows: Path, pool: str, auth: Auth, call: LoopCaller) -> Callable[[Any, Any], Any]:
    from stepfast.deployment.plan import Plan
    from stepfast.functions.clients import Clients
    from stepfast.functions.entry import EntryPoint
    from stepfast.functions.host import Host
    from stepfast.language.registry import Registry, discover

    # The authorizer reads keys and needs no workflows.
    registry = Registry(()) if function == "authorizer" else discover(workflows)
    plan = Plan.of(registry)
    if pool not in plan.pools:
        raise InvalidRequest(f"no step names the pool {pool!r}; there are: {', '.join(sorted(plan.pools))}")
    clients = Clients(REGION)
    settings = replace(deployed(clients, registry, pool), auth=auth, workflows=str(workflows))
    handler: Callable[[Any, Any], Any] | None = None
    if function in own_functions(Path()):
        handler = _own_handler(function, settings)
    if handler is None or isinstance(
        handler, EntryPoint
    ):  # stepfast's own handler, rebuilt on moto's clients and without metrics
        build = import_module(f"stepfast.functions.{function}").build
        handler = build(settings, clients, Host(registry=registry, call=call))
    return handler


def _own_handler(function: str, settings: Settings) -> Callable[[Any, Any], Any]:
    """The handler of the project's own file, which reads its settings from the environment, as in Lambda."""
    os.environ.update({name: value for name, value in settings.to_environment().items() if value})
    sys.path.insert(0, str(Path().resolve()))
    try:
        with redirect_stdout(sys.stderr):
            handler: Callable[[Any, Any], Any] = import_module(f"{FOLDER}.{function}").handler
    except Exception as error:
        typer.echo(traceback.format_exc(), err=True)
        raise StartupError(f"{FOLDER}/{function}.py cannot be imported ({type(error).__name__}: {error})") from error
    return handler


def deployed(clients: Clients, registry: Registry, pool: str = "default") -> Settings:
    """Creates the resources of a stack in moto, and returns the settings that name them."""
    from stepfast.deployment.plan import Plan
    from stepfast.deployment.settings import Settings
    from stepfast.simulator import provision

    made = provision.provision(Plan.of(registry), clients, region=REGION, account=ACCOUNT)
    return Settings(
        table=provision.TABLE,
        bucket=provision.BUCKET,
        queues=dict(made.pools),
        timer_queue=made.timer,
        park_queue=made.park,
        schedules=provision.SCHEDULES,
        schedule_role=made.role,
        pool=pool,
        region=REGION,
    )


def _answer(handler: Callable[[Any, Any], Any], function: str, path: Path, event: Mapping[str, Any]) -> Any:
    try:
        with redirect_stdout(sys.stderr):  # standard output is for answers only
            answer = handler(event, None)
        return json.loads(json.dumps(answer))
    except StepfastError:
        raise
    except Exception as error:
        typer.echo(traceback.format_exc(), err=True)
        message = f"{type(error).__name__}: {error}"
        raise InvalidRequest(
            f"{function} failed on {path}, which may not be an event of its kind ({message})"
        ) from error
