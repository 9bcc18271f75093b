"""Calls for many executions: each request handles a bounded number, and the next request goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from stepfast.client import shapes
from stepfast.client.answers import Object, pauses
from stepfast.client.calls import Calls
from stepfast.client.starts import Turned, error_in
from stepfast.errors import Refused, StepfastError, Unavailable

MAX_PAUSE_SECONDS = 60.0
"""The longest wait between two requests of a bulk resume, whatever the server asks for."""


def replayed(calls: Calls, body: Object | None, rate: float | None) -> Iterator[Object]:
    """The outcomes at one deployment. Each request handles a bounded number of executions, and `next` continues."""
    while body is not None:
        answer = calls.send("POST", "/v1/dead-letters/replay", shapes.Replayed, body).body
        for outcome in answer["results"]:  # noqa: UP028, the asynchronous twin has no `yield from`
            yield outcome
        pause = answer.get("after") or (1 / rate if rate else 0.0)
        if answer["next"] == body and not answer.get("after"):
            raise Refused(f"{calls.url} says that executions remain, but makes no progress")
        body = answer["next"]
        if body is not None and pause:
            time.sleep(min(pause, MAX_PAUSE_SECONDS))


def started(calls: Calls, request: Sequence[tuple[int, Object]]) -> Iterator[tuple[int, Turned | StepfastError]]:
    """Sends numbered starts: for each its number, and what it was turned into, or its error.

    Starts that the server could not write just now are sent again, as long as the server is asked again.
    """
    path, end = "/v1/executions/batch", time.monotonic() + calls.retry_for
    for pause in pauses():
        starts = [body for _, body in request]
        outcomes = calls.send("POST", path, shapes.StartedBatch, {"starts": starts}).body["outcomes"]
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
        time.sleep(pause)
