"""Notifications of progress to a client that waits: what the execution, or a step of it, says of itself."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from mcp.server.context import ServerRequestContext

from stepfast.client import Execution
from stepfast.errors import StepfastError
from stepfast.integrations.mcp import states
from stepfast.integrations.mcp.states import Object

SAME_NOTICE_SECONDS = 5.0
"""Seconds between two notifications that say the same."""
NOTICE_SECONDS = 1.0
"""Seconds between two notifications, at least."""
LONGEST_TEXT_CHARS = 200


class Notices:
    """The notifications of one call. seconds: how long the call waits at most."""

    def __init__(self, context: ServerRequestContext[Any, Any], execution: Execution[Any], seconds: float) -> None:
        self._context, self._execution, self._seconds = context, execution, seconds
        self._asked = (context.meta or {}).get("progress_token") is not None
        self._looked = self._sent = float("-inf")
        self._message = ""

    async def send(self, passed: float, described: Object | None) -> None:
        """Notifies the client if it has asked for that, and there is something new or a while has passed.

        passed: seconds since the wait began, which grow with each call. described: the execution, if it was read.
        """
        if not self._asked or passed - self._looked < NOTICE_SECONDS:
            return
        self._looked = passed
        message = await self._text(described)
        if message != self._message or passed - self._sent >= SAME_NOTICE_SECONDS:
            self._sent, self._message = passed, message
            await self._context.session.report_progress(passed, self._seconds, message)

    async def _text(self, described: Object | None) -> str:
        parts = [f"{self._execution.execution_id} is RUNNING"]
        if described is not None:
            if (status := described.get("status_value")) is not None:
                parts.append(_short(status))
            with suppress(StepfastError):  # a notice is no reason to end the wait
                steps = await asyncio.to_thread(states.steps_that_report, self._execution)
                parts += [f"{id}: {_short(progress)}" for id, progress in steps]
        return "; ".join(parts)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_TEXT_CHARS else f"{text[:LONGEST_TEXT_CHARS]}…"
