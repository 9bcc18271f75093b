"""Shell completion: names of workflows and ids of executions, from the server. Without a server it offers nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from stepfast.cli.session import DEFAULT_URL
from stepfast.client import Client
from stepfast.errors import StepfastError

SERVER_SECONDS = 1.0
"""Seconds that completion waits for the server."""
MAX_IDS = 100
"""Ids offered at most."""


def workflows(context: typer.Context, incomplete: str) -> list[str]:
    """Names of workflows that begin with what is typed."""
    names = _ask(context, lambda client: [workflow["name"] for workflow in client.workflows()])
    return [name for name in names if name.startswith(incomplete)]


def ids(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of executions that begin with what is typed, the newest first."""
    return _ids(context, incomplete, None)


def failed_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of FAILED executions that begin with what is typed, the newest first."""
    return _ids(context, incomplete, "FAILED")


def _ids(context: typer.Context, incomplete: str, status: str | None) -> list[str]:
    def ask(client: Client) -> list[str]:
        page = client.list(status=status, limit=MAX_IDS, prefix=incomplete or None)
        return [execution["execution_id"] for execution in page["executions"]]

    return _ask(context, ask)


def _ask(context: typer.Context, ask: Callable[[Client], list[str]]) -> list[str]:
    shared: dict[str, Any] = context.find_root().params
    url, key = shared.get("url") or DEFAULT_URL, shared.get("api_key")
    try:
        with Client(url, key, timeout=SERVER_SECONDS, retry_for=0.0, iam=bool(shared.get("iam"))) as client:
            return ask(client)
    except StepfastError:
        return []
