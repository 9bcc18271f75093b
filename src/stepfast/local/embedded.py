"""stepfast.Embedded: the engine inside an application."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, overload

import httpx

from stepfast.backends.sqlite.file import Durability
from stepfast.client.answers import Answer, Object
from stepfast.client.async_calls import AsyncCalls
from stepfast.client.async_client import AsyncClient
from stepfast.client.async_execution import AsyncExecution
from stepfast.client.async_stacks import AsyncStacks
from stepfast.client.starts import Start, WorkflowWithInput, WorkflowWithoutInput
from stepfast.deployment.event_settings import (
    InboundSettings,
    WebhookSettings,
    checked_inbound,
    checked_webhooks,
    webhooks_of,
)
from stepfast.deployment.telemetry import telemetry_if
from stepfast.engine.audit_store import AuditSettings
from stepfast.errors import StartupError, StepfastError
from stepfast.http.api import Api
from stepfast.http.auth import Authenticator, Trusted
from stepfast.http.gateway import Application, application
from stepfast.http.lanes import Lanes
from stepfast.http.mounting import mounted
from stepfast.http.page import DashboardPage
from stepfast.http.signed_on import SignedOn
from stepfast.http.waiting import HeldRequests
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.local.inbound_settings import inbound_of
from stepfast.local.owner_client import OWNER_ANSWER_SECONDS
from stepfast.local.runtime import STEP_GRACE_SECONDS, Runtime
from stepfast.local.shared_home import SharedHome
from stepfast.model import MAX_CHILD_DEPTH
from stepfast.sign_on import SignOn, SignOnSettings

__all__ = ["Embedded"]

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")
_URL = "http://localhost"


class Embedded(AsyncClient):
    """The engine inside an application: executions run in this process, and `path` holds all of them.

    Use it with `async with`, or call `open` and `close`. It has the methods of AsyncClient; `start` is the same as
    `run`. Use it on one event loop.

    Several processes may open the same path, such as the workers of a web server: one of them owns the file and runs
    the executions, and the others start, signal and wait through it. When the owner ends, another process takes over
    and goes on from the last recorded step. All of them have to know the same workflows.

    path: the SQLite file, which is made if it is missing.
    workflows: the workflows that run here.
    workers: threads of the owner that answer.
    durability: "full" survives power loss, "process" only the death of the process.
    retention: seconds or a timedelta after which SUCCEEDED and CANCELLED executions are deleted. None keeps them.
    grace: seconds that `close` gives running steps to end. The next owner runs the others again.
    pools: the steps of each pool that may run at once. A pool that is not listed has no limit.
    log_values: whether inputs, outputs and errors are logged.
    max_child_depth: the most executions that a child may have above it.
    retry_for: seconds for which a call waits for an owner.
    opentelemetry: whether executions are traces of OpenTelemetry, and steps spans; see docs/opentelemetry.md.
    public_url: what the addresses of answer links begin with: where `asgi` is mounted, as others reach it.
    webhooks: where the owner posts changes of executions to, by name; see docs/events.md.
    inbound: webhooks of others that start workflows, by name. `asgi` takes them at `/v1/inbound/NAME`; see
    docs/events.md.
    key_file: the file of the keys that values are encrypted with, as `stepfast key-file create` makes it; see
    docs/encryption.md. None encrypts nothing.
    encrypt_new: whether new executions are encrypted. False leaves encrypted ones as they are.
    audit_days: for how many days the audit list keeps who has changed what. 0 keeps no list.
    audit_all: whether the audit list has starts, signals and updates, too.

    Raises DefinitionError for two workflows of one name, and StartupError for a webhook whose settings are not valid.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        workflows: Iterable[Workflow[..., Any]],
        *,
        workers: int = 2,
        durability: Durability = "full",
        retention: float | timedelta | None = None,
        grace: float = STEP_GRACE_SECONDS,
        pools: Mapping[str, int] | None = None,
        log_values: bool = False,
        max_child_depth: int = MAX_CHILD_DEPTH,
        retry_for: float = 60.0,
        opentelemetry: bool = False,
        public_url: str = "",
        webhooks: Mapping[str, WebhookSettings] | None = None,
        inbound: Mapping[str, InboundSettings] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        encrypt_new: bool = True,
        audit_days: int = 90,
        audit_all: bool = False,
    ) -> None:
        hooks = webhooks_of(checked_webhooks(webhooks or {}), os.environ)
        telemetry = telemetry_if(opentelemetry)
        registry = Registry(workflows)
        file = Path(path)

        def make() -> Runtime:
            return Runtime(
                registry,
                file,
                durability=durability,
                workers=workers,
                log_values=log_values,
                max_child_depth=max_child_depth,
                retention=retention.total_seconds() if isinstance(retention, timedelta) else retention,
                grace=grace,
                limits=pools,
                telemetry=telemetry,
                public_url=public_url,
                webhooks=hooks,
                key_file=None if key_file is None else Path(key_file),
                encrypt_new=encrypt_new,
                audit=AuditSettings(audit_days, audit_all),
            )

        self.path = file
        self._home = SharedHome(file, make, inbound_of(checked_inbound(inbound or {}), registry))
        self._lanes: list[Lanes[dict[str, Any]]] = []
        self._retry_for = retry_for
        self._api = httpx.ASGITransport(self._application(Trusted(), None), raise_app_exceptions=False)
        # AsyncClient's own constructor would connect to a URL.
        self._stacks = self._connected()

    @property
    def is_owner(self) -> bool:
        """Whether this process owns the file now."""
        return self._home.is_owner

    async def open(self) -> Embedded:
        """Opens the file, and returns the engine. `async with` does the same.

        Returns once this process owns the file or can reach the owner. Raises StartupError when neither is possible,
        such as while `stepfast dev` uses the file, and when this engine is open already.
        """
        await asyncio.to_thread(self._home.open)
        self._stacks = self._connected()
        return self

    async def __aenter__(self) -> Embedded:
        return await self.open()

    async def close(self) -> None:
        """Gives running steps the grace period to end, and closes the file. The engine may be opened again."""
        await asyncio.to_thread(self._home.close)
        await super().close()
        for lanes in self._lanes:
            lanes.close()

    @overload
    async def start(
        self,
        workflow: str,
        inputs: Any = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> AsyncExecution[Any]: ...
    @overload
    async def start(
        self,
        workflow: WorkflowWithoutInput[R],
        inputs: None = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> AsyncExecution[R]: ...
    @overload
    async def start(
        self,
        workflow: WorkflowWithInput[I, R],
        inputs: I,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> AsyncExecution[R]: ...
    async def start(
        self,
        workflow: Any,
        inputs: Any = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> AsyncExecution[Any]:
        """Starts an execution and returns a handle: the same as `run`.

        workflow: the workflow, or its name.
        inputs: a value of the type that the workflow takes, or plain JSON values.
        execution_id: with an id the call is idempotent. None makes a new id.
        labels: at most 20 names and values, to find executions by.

        The handle is returned once the start is durable. Raises UnknownWorkflow, InvalidRequest, and ExecutionConflict
        when the id belongs to another workflow or input.
        """
        return await self.run(workflow, inputs, execution_id, labels)

    async def start_many(self, starts: Iterable[Start[R]]) -> Sequence[AsyncExecution[R] | StepfastError]:
        """Starts many executions, with an outcome for each: the same as `run_many`.

        starts: any number. Up to 1,000 of them share a commit.
        """
        return await self.run_many(starts)

    def asgi(
        self,
        *,
        api_keys: Sequence[str] | None = None,
        trusted: bool = False,
        page: bool = True,
        sign_on: Mapping[str, Any] | None = None,
    ) -> Application:
        """The HTTP API and the dashboard as an ASGI application, to be mounted under any path.

        api_keys: the keys that callers need. None reads them from STEPFAST_API_KEYS, separated by commas. Without any
        key only programs and pages of this machine may call.
        trusted: whether the application around it lets callers in. No key is asked for then.
        page: whether the dashboard is served at the top of the path.
        sign_on: lets callers in with a token of an issuer, too: the settings of `[tool.stepfast.jwt]`. With `client_id`
        among them the page signs in at the issuer; see docs/sign-on.md.

        Raises StartupError for keys or `sign_on` together with `trusted`, for a key that is empty or not printable, and
        for settings that are not valid.
        """
        if trusted and sign_on is not None:
            raise StartupError("either the application lets callers in (trusted=True), or sign_on does: choose one")
        if trusted and api_keys is not None:
            raise StartupError("either the application lets callers in (trusted=True), or keys do: choose one of them")
        variable = {"STEPFAST_API_KEYS": ",".join(api_keys)} if api_keys is not None else os.environ
        keys = Trusted() if trusted else Authenticator.from_environment(variable)
        settings = None if sign_on is None else SignOnSettings.of(sign_on, "sign_on")
        if settings is not None:
            keys = SignedOn(SignOn(settings), keys if isinstance(keys, Authenticator) else None)
        shown = DashboardPage(sign_on=settings.page if settings else None) if page else None
        return mounted(self._application(keys, shown))

    def _connected(self) -> AsyncStacks:
        return AsyncStacks([_HomeCalls(self._home, self._api, self._retry_for)])

    def _application(self, keys: Authenticator | Trusted | None, page: DashboardPage | None) -> Application:
        api = Api(self._home, keys, page, self._home)
        lanes = Lanes[dict[str, Any]]()
        self._lanes.append(lanes)
        return application(api, lanes, api.admit, waiting=HeldRequests(self._home, api.may_read))


class _HomeCalls(AsyncCalls):
    """Calls of the API in this process."""

    def __init__(self, home: SharedHome, transport: httpx.ASGITransport, retry_for: float) -> None:
        super().__init__(_URL, None, OWNER_ANSWER_SECONDS, retry_for, transport=transport)
        self._home = home

    async def send(
        self,
        method: str,
        path: str,
        shape: type,
        body: Object | None = None,
        query: Object | None = None,
        patience: float | None = None,
        settled: tuple[str, ...] = (),
        wait: int = 0,
    ) -> Answer:
        if not self._home.is_open:
            raise StartupError("the engine is not open: use it inside `async with stepfast.Embedded(…) as engine:`")
        return await super().send(method, path, shape, body, query, patience, settled, wait)
