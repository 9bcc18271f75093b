"""Fakes of external steps: the work answers by its link, after the simulated time that it takes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stepfast import link_tokens
from stepfast.errors import StepfastError
from stepfast.language.context import current_step
from stepfast.language.external_steps import ExternalStep
from stepfast.testing.fakes import Fake
from stepfast.testing.stage import Stage


def fake_of(
    external: ExternalStep[..., Any], work: Callable[..., Any], takes: float, beats: bool, stage: Stage
) -> Fake:
    """What runs in place of the step that starts the work.

    work: is called with the arguments; its result is the answer, and what it raises is reported as a failure.
    takes: simulated seconds from the start to the answer. beats: whether heartbeats come meanwhile.
    """

    async def start(arguments: Any, link: str, attempt: int, key: str | None) -> Any:
        token = link_tokens.token_in(link)

        def send(report: dict[str, Any]) -> None:
            with suppress(StepfastError):  # nobody waits for this work any more
                stage.report(token, report)

        began = stage.time()
        if beats and external.heartbeat is not None:
            for number in range(1, int(2 * takes / external.heartbeat) + 1):
                at = began + number * external.heartbeat / 2
                stage.call_at(at, lambda: send({"heartbeat": None}))
        report = await _end_of(external, work, arguments)
        stage.call_at(began + takes, lambda: send(report))
        return {"key": key or current_step().idempotency_key}

    return Fake(start)


async def _end_of(external: ExternalStep[..., Any], work: Callable[..., Any], arguments: Any) -> dict[str, Any]:
    bound = external.arguments.decode(json.dumps(arguments))
    try:
        value = external.arguments.call(work, bound)
        value = await value if inspect.isawaitable(value) else value
        return {"answer": json.loads(external.result.text(value))}
    except Exception as error:
        return {"failure": {"type": type(error).__name__, "message": str(error)}}
