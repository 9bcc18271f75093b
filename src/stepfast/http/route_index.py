"""Which module of stepfast.http.routes has which route: a request loads the modules that its address is in.

A cold start would otherwise make the models of all routes, which take a fifth of its CPU time.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

ROUTES: Mapping[str, Sequence[str]] = {
    "starting": (
        "POST /v1/executions/batch",
        "POST /v1/workflows/<workflow>/executions",
    ),
    "listing": (
        "GET /v1/executions",
        "POST /v1/executions/statuses",
    ),
    "executions": (
        "GET /v1/executions/<execution_id>",
        "GET /v1/executions/<execution_id>/history",
    ),
    "events": ("GET /v1/executions/<execution_id>/events",),
    "runs": ("GET /v1/executions/<execution_id>/runs",),
    "recordings": (
        "GET /v1/executions/<execution_id>/recording",
        "GET /v1/executions/<execution_id>/recording/value",
    ),
    "waits": ("GET /v1/executions/<execution_id>/waits",),
    "commands": ("GET /v1/executions/<execution_id>/commands",),
    "items": ("GET /v1/executions/<execution_id>/items",),
    "interventions": (
        "POST /v1/executions/<execution_id>/pause",
        "POST /v1/executions/<execution_id>/unpause",
        "POST /v1/executions/<execution_id>/close",
        "POST /v1/executions/<execution_id>/reopen",
        "POST /v1/executions/<execution_id>/cancel",
        "POST /v1/executions/<execution_id>/terminate",
    ),
    "forks": ("POST /v1/executions/<execution_id>/fork",),
    "steering": (
        "POST /v1/executions/<execution_id>/resume",
        "POST /v1/executions/<execution_id>/commands/<command>/repair",
        "DELETE /v1/executions/<execution_id>",
        "POST /v1/executions/<execution_id>/signals/<name>",
    ),
    "updates": (
        "GET /v1/executions/<execution_id>/handlers",
        "POST /v1/executions/<execution_id>/queries/<name>",
        "POST /v1/executions/<execution_id>/updates/<name>",
        "GET /v1/executions/<execution_id>/updates/<update_id>",
    ),
    "dead_letters": (
        "GET /v1/dead-letters",
        "GET /v1/dead-letters/groups",
        "POST /v1/dead-letters/replay",
    ),
    "figures": ("GET /v1/workflows/<workflow>/figures",),
    "limits": (
        "GET /v1/limits",
        "GET /v1/gates",
        "GET /v1/limits/<name>",
        "PUT /v1/limits/<name>",
        "DELETE /v1/limits/<name>",
        "POST /v1/gates/<name>/close",
        "POST /v1/gates/<name>/open",
    ),
    "workflow_pauses": (
        "POST /v1/workflows/<workflow>/pause",
        "POST /v1/workflows/<workflow>/unpause",
    ),
    "links": (
        "GET /v1/link-keys",
        "POST /v1/link-keys/rotate",
        "GET /v1/executions/<execution_id>/links",
    ),
    "schedules": (
        "GET /v1/schedules",
        "GET /v1/schedules/<name>",
        "POST /v1/schedules/<name>/pause",
        "POST /v1/schedules/<name>/unpause",
        "POST /v1/schedules/<name>/trigger",
        "POST /v1/schedules/<name>/backfill",
    ),
    "webhooks": (
        "GET /v1/webhooks",
        "GET /v1/webhooks/<name>",
        "GET /v1/webhooks/<name>/dead-letters",
        "POST /v1/webhooks/<name>/redeliver",
    ),
    "bulk_jobs": (
        "POST /v1/jobs",
        "GET /v1/jobs",
        "POST /v1/jobs/<execution_id>/stop",
        "GET /v1/jobs/<execution_id>",
        "GET /v1/jobs/<execution_id>/report",
    ),
    "audit": ("GET /v1/audit",),
    "about": (
        "GET /v1/workflows",
        "GET /v1/health",
        "GET /openapi.json",
    ),
}
"""The routes of each module. The order of the modules decides where two routes match a path."""


class RouteModule:
    """A module of routes that may not be loaded yet. rank: its place among the modules."""

    def __init__(self, name: str, rank: int) -> None:
        self.name, self.rank = name, rank
        self._rules = [(method, rule.split("/")) for method, _, rule in (each.partition(" ") for each in ROUTES[name])]

    def may_have(self, method: str | None, parts: Sequence[str]) -> bool:
        """Whether a route may match a path in these parts. It may be wrong about a yes. method: None for any."""
        return any(method in (None, known) and _fits(rule, parts) for known, rule in self._rules)

    def add(self, app: Any, engine: Any) -> None:
        """Imports the module and adds its routes."""
        importlib.import_module(f"stepfast.http.routes.{self.name}").add(app, engine)


def modules() -> list[RouteModule]:
    return [RouteModule(name, rank) for rank, name in enumerate(ROUTES)]


def _fits(rule: Sequence[str], parts: Sequence[str]) -> bool:
    if "<command>" in rule:  # it may have slashes
        rule = rule[: rule.index("<command>")]
        return len(parts) > len(rule) and _fits(rule, parts[: len(rule)])
    return len(rule) == len(parts) and all(a.startswith("<") or a == b for a, b in zip(rule, parts, strict=True))
