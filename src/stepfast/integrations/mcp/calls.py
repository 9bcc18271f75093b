"""A tool call on its way: the client with the caller's key, the ids of retried requests, and waiting."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request

from stepfast.client import Client, Execution
from stepfast.errors import Unavailable
from stepfast.integrations.mcp import states
from stepfast.integrations.mcp.notices import Notices
from stepfast.integrations.mcp.states import Object

Context = ServerRequestContext[Any, Any]

MAX_LOOK_PAUSE_SECONDS = 1.0
"""The longest pause between two looks at an execution."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. `client` belongs to this call. Its methods block, so they run in threads."""

    context: Context
    client: Client
    operate: bool
    nonce: str
    """Random text of this process: requests over stdio are numbered anew in each process."""

    def id_for(self, tool: str, arguments: Object) -> str:
        """An id for what this call makes, where the caller chose none.

        The same JSON-RPC request of the same session gets the same id, so that a request which is delivered twice has
        one effect. A request without a session gets a random id: request numbers of different clients are alike.
        """
        session = self._session()
        if session is None:
            return f"mcp-{uuid.uuid4().hex}"
        seed = json.dumps([session, self.context.request_id, tool, arguments], sort_keys=True)
        return f"mcp-{hashlib.sha256(seed.encode()).hexdigest()[:32]}"

    def _session(self) -> str | None:
        request = self.context.request
        if not isinstance(request, Request):
            return self.nonce
        # Revisions since 2026-07-28 have no sessions, and nothing checks the header there.
        return (
            request.headers.get("mcp-session-id")
            if self.context.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS
            else None
        )

    async def ended(self, execution: Execution[Any], seconds: float) -> Object:
        """Waits for the end of an execution, at most `seconds`, and returns its last description.

        An outage of the server is waited out. Raises Unavailable if it lasts to the end of the wait, and Refused.
        """
        begun = time.monotonic()
        notices, pause = Notices(self.context, execution, seconds), 0.05
        described: Object | None = None
        while True:
            left = begun + seconds - time.monotonic()
            try:
                described = await asyncio.to_thread(states.read, execution)
            except Unavailable:
                if left <= 0:
                    raise
            else:
                if described["status"] != "RUNNING" or left <= 0:
                    return described
            await notices.send(time.monotonic() - begun, described)
            await asyncio.sleep(max(0.0, min(pause, left)))
            pause = min(MAX_LOOK_PAUSE_SECONDS, pause * 1.5)

    async def state(self, execution: Execution[Any], seconds: float) -> Object:
        """What a tool shows of an execution after at most `seconds` of waiting."""
        described = await self.ended(execution, seconds)
        return await self.shown(execution, described)

    async def shown(self, execution: Execution[Any], described: Object) -> Object:
        running = described["status"] == "RUNNING"
        waits = await asyncio.to_thread(states.waits_of, execution) if running else []
        return states.state_of(described, waits, self.operate)
