"""`stepfast dev --cloud moto`: finds the workflows and runs them on a played AWS until a signal ends it."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

from stepfast.deployment.project import Project
from stepfast.errors import StartupError
from stepfast.http.auth import FILE_VARIABLE, Authenticator
from stepfast.http.page import HOW_TO_BUILD, DashboardPage
from stepfast.http.server import address_of, listen
from stepfast.http.server import serve as serve_http
from stepfast.language.registry import discover
from stepfast.local import dev_logs, reloading
from stepfast.local.cloud.deployment import ServedCloud
from stepfast.local.cloud.front import CONSOLE, Front
from stepfast.local.dev_logs import LogFormat
from stepfast.loopback import is_loopback

log = logging.getLogger(__name__)
PROJECT = Path("pyproject.toml")


def serve(
    workflows: Path,
    host: str = "127.0.0.1",
    port: int = 8787,
    log_values: bool = False,
    log_format: LogFormat = "text",
    reloads: bool = False,
) -> None:
    """Serves until SIGINT or SIGTERM. Everything is in memory and is lost then. Prints a line once it accepts requests.

    Pools and settings are those of [tool.stepfast] in the pyproject.toml of the current folder. API keys work as with
    the embedded runtime. Raises StartupError, which says what to do.
    """
    dev_logs.configure(log_format, threads=True)
    if os.environ.get(FILE_VARIABLE):
        raise StartupError(f"{FILE_VARIABLE} is for `stepfast dev` without --cloud: unset it")
    keys = Authenticator.from_environment(os.environ)
    if keys is None and not is_loopback(host):
        raise StartupError(
            f"without API keys stepfast listens on loopback only, not on {host}: "
            "set STEPFAST_API_KEYS, or leave out --host"
        )
    with listen(host, port) as listener:
        registry, project = discover(workflows), Project.read(PROJECT)
        if project.public_url is None:
            project = replace(project, public_url=address_of(listener, host))
        if log_values:
            project = replace(project, log_values=True)
        with ServedCloud(registry, project) as cloud:
            names = ", ".join(sorted(registry.workflows)) or f"no workflows yet in {workflows}"
            page = DashboardPage()
            front = Front(cloud, keys, page)
            changes = reloading.Reloader(
                say_changed,
                lambda: reloading.state_of(workflows, Path.cwd()),
                lambda: reloading.check_in_process(workflows),
            )
            if reloads:
                changes.begin()
            try:
                serve_http(
                    front, listener, host, lambda address: _print_ready(address, names, cloud, keys is None, page)
                )
            except KeyboardInterrupt:
                pass  # SIGINT is the usual way to end the server.
            finally:
                changes.end()


def say_changed() -> None:
    """Warns of changed code. It is not reloaded, because the state of the played AWS lives in this process."""
    log.warning("the code has changed, and the old code keeps running: restart to load it, which empties the memory")


def _print_ready(address: str, names: str, cloud: ServedCloud, key: bool, page: DashboardPage) -> None:
    print(f"stepfast is ready at {address} ({names})", flush=True)
    print("AWS is played by moto in this process: everything is in memory, and gone when it ends")
    if not page.is_built:
        print(HOW_TO_BUILD, file=sys.stderr)
    if key:
        print(f"API key with every scope: {cloud.key} (programs of this machine need none)")
    print(f"queues: GET {address}{CONSOLE}; redrive of the dead letters: POST {address}{CONSOLE}/redrive", flush=True)
