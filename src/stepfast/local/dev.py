"""`stepfast dev`: finds the workflows, runs their executions and serves the HTTP API until a signal ends it."""

from __future__ import annotations

import logging
import os
import sys
import time
import tomllib
from pathlib import Path
from socket import socket

from stepfast import collector
from stepfast.backends.sqlite.file import Durability
from stepfast.deployment import schedules as scheduled
from stepfast.deployment.event_settings import webhooks_of
from stepfast.deployment.limit_settings import numbers_of
from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.deployment.schedules import ScheduledStart
from stepfast.deployment.telemetry import telemetry_if
from stepfast.engine.audit_store import AuditSettings
from stepfast.errors import DefinitionError, StartupError
from stepfast.http import server
from stepfast.http.api import build
from stepfast.http.auth import Authenticator
from stepfast.http.page import HOW_TO_BUILD, DashboardPage
from stepfast.http.signed_on import SignedOn
from stepfast.language.registry import Registry, discover
from stepfast.local import dev_logs, reloading
from stepfast.local.dev_logs import LogFormat
from stepfast.local.encryption import key_file_of
from stepfast.local.inbound_settings import inbound_of
from stepfast.local.retention import DAY_SECONDS, retention_of
from stepfast.local.runtime import STEP_GRACE_SECONDS, Runtime
from stepfast.loopback import is_loopback
from stepfast.model import SignalLimits
from stepfast.sign_on import SignOn

log = logging.getLogger(__name__)
PROJECT = Path("pyproject.toml")
HONOURED = (
    "retention_days",
    "max_child_depth",
    "max_signals",
    "max_signal_bytes",
    "opentelemetry",
    "public_url",
    "key_file",
    "encrypt_new",
    "audit_days",
    "audit_all",
)
"""Settings of deployments that also have an effect here, beside pools and schedules."""
HONOURED_OF_POOLS = ("max_concurrency", "processes")


def serve(
    workflows: Path,
    db: Path,
    host: str = "127.0.0.1",
    port: int = 8787,
    durability: Durability = "full",
    workers: int = 2,
    log_values: bool = False,
    grace: float = STEP_GRACE_SECONDS,
    log_format: LogFormat = "text",
    reloads: bool = False,
) -> None:
    """Serves until SIGINT or SIGTERM, then gives running steps `grace` seconds to end.

    A second signal ends that period. A line on standard output says when requests are accepted. workers: threads.
    reloads: whether the process restarts itself when the code has changed.

    API keys are read from the environment variable STEPFAST_API_KEYS, separated by commas. Without a key only loopback
    addresses are allowed. Raises StartupError, which says what to do.
    """
    dev_logs.configure(log_format)
    keys = Authenticator.from_environment(os.environ)
    if (jwt := Project.read(PROJECT).jwt) is not None:
        keys = SignedOn(SignOn(jwt), keys)
    if keys is None and not is_loopback(host):
        raise StartupError(
            f"without API keys stepfast listens on loopback only, not on {host}: "
            "set STEPFAST_API_KEYS, or leave out --host"
        )
    with reloading.handed_on() or server.listen(host, port) as listener:
        if _serve_code(listener, workflows, db, host, durability, workers, log_values, grace, keys, reloads):
            reloading.begin_anew(listener)


def _serve_code(
    listener: socket,
    workflows: Path,
    db: Path,
    host: str,
    durability: Durability,
    workers: int,
    log_values: bool,
    grace: float,
    keys: Authenticator | None,
    reloads: bool,
) -> bool:
    """Serves the code as it is now. Returns True if the process should restart with changed code."""
    registry = discover(workflows)
    check(registry, PROJECT)
    names = ", ".join(sorted(registry.workflows)) or f"no workflows yet in {workflows}"
    project, schedules = settings_of(registry, PROJECT)
    limits = {name: pool.max_concurrency for name, pool in project.pools.items() if pool.max_concurrency}
    processes = {name: pool.processes for name, pool in project.pools.items() if pool.processes}
    retention = retention_of(PROJECT)
    inbound = inbound_of(project.inbound, registry)
    code = reloading.WatchedCode(workflows, watched=reloads and reloading.SUPPORTED)
    with Runtime(
        registry,
        db,
        durability=durability,
        workers=workers,
        log_values=log_values,
        retention=retention,
        grace=grace,
        limits=limits,
        processes=processes,
        schedules=schedules,
        max_child_depth=project.max_child_depth,
        telemetry=telemetry_if(project.opentelemetry),
        limit_numbers=numbers_of(registry, project.limits),
        signal_limits=SignalLimits(project.max_signals, project.max_signal_bytes),
        key_file=key_file_of(project, PROJECT.parent),
        encrypt_new=project.encrypt_new,
        audit=AuditSettings(project.audit_days, project.audit_all),
        public_url=project.public_url or server.address_of(listener, host),
        webhooks=webhooks_of(project.webhooks, os.environ),
    ) as runtime:
        if retention is not None:
            log.info("executions that are SUCCEEDED or CANCELLED are deleted after %g days", retention / DAY_SECONDS)
        collector.spare()
        page = DashboardPage(sign_on=project.jwt.page if project.jwt else None)
        handler = build(runtime.operations, registry, runtime.call, keys, page, ends=runtime.ends, inbound=inbound)
        try:
            server.serve(handler, listener.dup(), host, lambda url: say_ready(url, names, page), code.watch)
        finally:
            code.end()
            if not code.changed:
                # Closed before the runtime: a client that connects while running steps end is refused at once.
                listener.close()
    # A signal during the grace period ends the process instead of reloading it.
    return code.changed and not runtime.interrupted


def check(registry: Registry, project: Path) -> None:
    """Logs a warning about workflows that work here and could not be deployed. Raises StartupError for broken ones.

    project: the pyproject.toml with the settings of a deployment.
    """
    try:
        registry.check()
    except DefinitionError as error:
        raise StartupError(str(error)) from error
    try:
        Plan.of(registry, Project.read(project))
    except StartupError as refused:
        log.warning("this runs here, and could not be deployed to AWS: %s", refused)


def settings_of(registry: Registry, pyproject: Path) -> tuple[Project, list[ScheduledStart]]:
    """The project's settings, and the schedules that work here; those that are not enabled only start by hand.

    Logs the settings that have no effect here and the schedules that start nothing. Raises StartupError.
    """
    project, starting = Project.read(pyproject), []
    for start in project.schedules.values():
        try:
            scheduled.check(start, registry)
            notice = scheduled.check_to_come(start, time.time())
        except StartupError as error:
            notice = str(error)
        if notice is not None:
            log.warning("a schedule starts nothing: %s", notice)
        else:
            starting.append(start)
    if ignored := ignored_in(pyproject):
        log.info("settings of %s for deployments only, without effect here: %s", pyproject, ", ".join(ignored))
    if enabled := [start for start in starting if start.enabled]:
        log.info("started by the clock: %s", ", ".join(f"{start.name} ({start.expression})" for start in enabled))
    return project, starting


def ignored_in(pyproject: Path) -> list[str]:
    """Names of the settings in [tool.stepfast] of this file that the embedded runtime does not use."""
    if not pyproject.is_file():
        return []
    table = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("tool", {}).get("stepfast", {})
    also = ("auth", "jwt") if table.get("auth") == "jwt" else ()
    known = ("pools", "schedules", "limits", "webhooks", "inbound", *HONOURED, *also)
    plain = [name for name in table if name not in known]
    pools = table.get("pools", {})
    return plain + [f"pools.{pool}.{name}" for pool in pools for name in pools[pool] if name not in HONOURED_OF_POOLS]


def say_ready(url: str, names: str, page: DashboardPage) -> None:
    """Prints the ready line, and a hint on standard error if the page has not been built.

    Programs read standard output and expect the ready line only.
    """
    print(f"stepfast is ready at {url} ({names})", flush=True)
    if not page.is_built:
        print(HOW_TO_BUILD, file=sys.stderr, flush=True)
