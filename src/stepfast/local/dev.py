"""`stepfast dev`: finds the workflows, runs their executions, serves the HTTP API until it is told to end."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from stepfast.backends.sqlite_file import Durability
from stepfast.errors import StartupError
from stepfast.http import serving
from stepfast.http.api import build
from stepfast.http.auth import Authenticator
from stepfast.http.page import Page
from stepfast.local.runtime import Runtime
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
    """Serves until SIGINT or SIGTERM, then ends cleanly; prints one line when requests are taken.

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
        registry = discover(workflows)
        names = ", ".join(sorted(registry.workflows)) or f"no workflows yet in {workflows}"
        with Runtime(registry, db, durability=durability, workers=workers, log_values=log_values) as runtime:
            handler = build(runtime.operations, registry, runtime.call, keys, Page())
            serving.serve(
                handler, listener, host, lambda url: print(f"stepfast is ready at {url} ({names})", flush=True)
            )
