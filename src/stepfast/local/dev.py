"""`stepfast dev`: finds the workflows, runs their executions, serves the HTTP API until it is told to end."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from stepfast.backends.sqlite_file import Durability
from stepfast.errors import StartupError
from stepfast.functions.project import Project
from stepfast.http import serving
from stepfast.http.api import build
from stepfast.http.auth import Authenticator
from stepfast.http.page import HOW_TO_BUILD, Page
from stepfast.local.runtime import Runtime
from stepfast.model import SignalLimits
from stepfast.registry import discover


def serve(
    workflows: Path,
    db: Path,
    host: str = "127.0.0.1",
    port: int = 8787,
    durability: Durability = "full",
    workers: int = 2,
    log_values: bool = False,
) -> None:
    """Serves until SIGINT or SIGTERM, then ends cleanly; says so when requests are taken.

    API keys come from the environment variable STEPFAST_API_KEYS, separated by commas. Without one only
    loopback addresses are allowed. Raises StartupError, which says what to do.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    keys = Authenticator.from_environment(os.environ)
    if keys is None and not serving.is_loopback(host):
        raise StartupError(
            f"without API keys stepfast listens on loopback only, not on {host}: "
            "set STEPFAST_API_KEYS, or leave out --host"
        )
    listener = serving.listen(host, port)
    with listener:
        project = Project.read(Path("pyproject.toml"))
        limits = SignalLimits(project.max_signals, project.max_signal_bytes)
        registry = discover(workflows)
        names = ", ".join(sorted(registry.workflows)) or f"no workflows yet in {workflows}"
        with Runtime(
            registry, db, durability=durability, workers=workers, log_values=log_values, signal_limits=limits
        ) as runtime:
            page = Page()
            handler = build(runtime.operations, registry, runtime.call, keys, page)
            serving.serve(handler, listener, host, lambda url: say_ready(url, names, page))


def say_ready(url: str, names: str, page: Page) -> None:
    """One line, and another where the page is not built and the address would show none."""
    print(f"stepfast is ready at {url} ({names})", flush=True)
    if not page.is_built:
        print(HOW_TO_BUILD, flush=True)
