"""The asynchronous twin of bulk.py: `make async-client` writes it. Change bulk.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from stepfast.client import shapes
from stepfast.client.answers import Object, pauses
from stepfast.client.async_calls import AsyncCalls
from stepfast.client.bulk import MAX_PAUSE_SECONDS
from stepfast.client.starts import Turned, error_in
from stepfast.errors import Refused, StepfastError, Unavailable


async def replayed(calls: AsyncCalls, body: Object | None, rate: float | None) -> AsyncIterator[Object]:
    """The outcomes at one deployment. Each request handles a bounded number of executions, and `next` continues."""
    while body is not None:
        answer = (await calls.send("POST", "/v1/dead-letters/replay", shapes.Replayed, body)).body
        for outcome in answer["results"]:
            yield outcome
        pause = answer.get("after") or (1 / rate if rate else 0.0)
        if answer["next"] == body and not answer.get("after"):
            raise Refused(f"{calls.url} says that executions remain, but makes no progress")
        body = answer["next"]
        if body is not None and pause:
            await asyncio.sleep(min(pause, MAX_PAUSE_SECONDS))


async def started(
    calls: AsyncCalls, request: Sequence[tuple[int, Object]]
) -> AsyncIterator[tuple[int, Turned | StepfastError]]:
    """Sends numbered starts: for each its number, and what it was turned into, or its error.

    Starts that the server could not write just now are sent again, as long as the server is asked again.
    """
    path, end = "/v1/executions/batch", time.monotonic() + calls.retry_for
    for pause in pauses():
        starts = [body for _, body in request]
        outcomes = (await calls.send("POST", path, shapes.StartedBatch, {"starts": starts})).body["outcomes"]
        if len(outcomes) != len(request):
            raise Refused(f"{calls.url} answers {len(request)} starts with {len(outcomes)} outcomes")
        again: list[tuple[int, Object]] = []
        for (number, body), outcome in zip(request, outcomes, strict=True):
            error = error_in(outcome, calls.url)
            if isinstance(error, Unavailable) and time.monotonic() + pause < end:
                again.append((number, body))
            elif error is not None:
                yield number, error
            else:
                turned = Turned(outcome["execution_id"], outcome["created"], outcome.get("turned_into"))
                yield number, turned
        if not again:
            return
        request = again
        await asyncio.sleep(pause)
