"""Notices that the workflows have changed, for clients that have listed the tools or listen for changes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request

from stepfast.client import Client
from stepfast.errors import StepfastError
from stepfast.integrations.mcp.calls import Context
from stepfast.integrations.mcp.states import Object

MOST_STREAMS = 1024
"""Streams of changes that are open at once, and sessions that are watched at once."""
SESSION_WATCH_SECONDS = 3600.0
"""For how long after its last list of tools a session over HTTP is watched: nothing says that its client has gone."""

Connect = Callable[[Request | None], Client]


class NotifyingServer(Server[Any]):
    """A server that says in every handshake that it notifies of changes. `streamable_http_app` cannot pass it on."""

    def create_initialization_options(
        self, notification_options: NotificationOptions | None = None, *args: Any, **options: Any
    ) -> Any:
        changes = NotificationOptions(tools_changed=True)
        return super().create_initialization_options(notification_options or changes, *args, **options)


class WorkflowWatch:
    """Looks for changes of the workflows while there are clients to notify.

    connect: makes a client with the key of a request. seconds: between two looks; 0 never looks.
    """

    def __init__(self, connect: Connect, seconds: float) -> None:
        self._connect, self._seconds = connect, seconds
        self._watched: dict[str, asyncio.Task[None]] = {}
        self._streams = 0

    def listed(self, context: Context, workflows: list[Object]) -> None:
        """The client has seen these workflows. It is notified once when they change, and then lists them again.

        Clients of revisions since 2026-07-28 get changes by `listen` alone.
        """
        if self._seconds <= 0 or context.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
            return
        over_http = isinstance(context.request, Request)
        session = context.request.headers.get("mcp-session-id") if isinstance(context.request, Request) else ""
        if session is None:
            return
        earlier = self._watched.pop(session, None)
        if earlier is not None:
            earlier.cancel()
        elif len(self._watched) >= MOST_STREAMS:
            return
        until = time.monotonic() + SESSION_WATCH_SECONDS if over_http else None
        watch = asyncio.create_task(self._notify_session(context, _digest(workflows), until))
        self._watched[session] = watch
        watch.add_done_callback(lambda _: self._watched.get(session) is watch and self._watched.pop(session))

    async def _notify_session(self, context: Context, seen: str, until: float | None) -> None:
        if await self._changed(context, seen, until) is not None:
            await context.session.send_tool_list_changed()

    async def listen(self, context: Context, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """A stream of changes, until the client closes it."""
        if self._streams >= MOST_STREAMS:
            raise MCPError(INTERNAL_ERROR, "too many streams of changes are open: close some, or try again later")
        bus = InMemorySubscriptionBus()
        watch = asyncio.create_task(self._publish(context, bus)) if params.notifications.tools_list_changed else None
        self._streams += 1
        try:
            return await ListenHandler(bus)(context, params)
        finally:
            self._streams -= 1
            if watch is not None:
                watch.cancel()

    async def _publish(self, context: Context, bus: InMemorySubscriptionBus) -> None:
        seen: str | None = None
        while self._seconds > 0:
            changed = await self._changed(context, seen, None)
            if seen is not None:
                await bus.publish(ToolsListChanged())
            seen = changed

    async def _changed(self, context: Context, seen: str | None, until: float | None) -> str | None:
        """Waits until the workflows are others than those seen, and returns their digest; None at the end of the time.

        The first look is at once where nothing is seen yet. A look that fails says nothing.
        """
        request = context.request if isinstance(context.request, Request) else None
        while until is None or time.monotonic() < until:
            if seen is not None:
                await asyncio.sleep(self._seconds)
            with suppress(StepfastError):
                digest = await asyncio.to_thread(self._look, request)
                if digest != seen:
                    return digest
            if seen is None:
                await asyncio.sleep(self._seconds)
        return None

    def _look(self, request: Request | None) -> str:
        with self._connect(request) as client:
            return _digest(client.workflows())


def _digest(workflows: list[Object]) -> str:
    return hashlib.sha256(json.dumps(workflows, sort_keys=True).encode()).hexdigest()
