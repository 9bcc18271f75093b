"""Waits of an agent for the outside world, as signals of the execution."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pydantic import JsonValue
from pydantic_ai import RunContext
from pydantic_ai.durable_exec import ExternalEventError, ExternalEventWaiter

from stepfast.integrations.pydantic_ai.naming import step_name
from stepfast.integrations.pydantic_ai.places import within_run
from stepfast.language.durable import signal
from stepfast.language.workflow_loop import commands_for


class SignalWaiter(ExternalEventWaiter):
    """Waits of `wait_for_external_event` and RequestInput: the token is the execution id and the signal's name."""

    def __init__(self, agent: str, context: RunContext[Any]) -> None:
        self._agent = agent
        self._context = context

    async def wait(
        self, name: str, *, ask: Callable[[str], Awaitable[JsonValue]], timeout: timedelta | None
    ) -> JsonValue:
        execution = commands_for("wait_for_external_event()").execution
        named = step_name(self._agent, name)
        answer = await ask(f"{execution.execution_id}/{named}")
        if answer is not None:
            return answer
        try:
            with within_run(self._agent, self._context):
                payload: JsonValue = await signal(named, timeout=timeout)
        except TimeoutError as error:
            raise ExternalEventError(f"no signal {named!r} arrived within {timeout}") from error
        return payload
