"""The engine as the routes use it, and how they answer."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from typing import Any, Protocol, TypeVar

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from stepfast.engine.operations import Operations
from stepfast.engine.starting import StartArguments, Started
from stepfast.http import problems
from stepfast.http.timelines import Timelines
from stepfast.language.registry import Registry
from stepfast.records import dataclass

T = TypeVar("T")


class EngineCaller(Protocol):
    """Runs a coroutine of the engine to its result, synchronously, from any thread."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class ApiEngine:
    """The engine as the routes see it; `describe` gives the OpenAPI document as text.

    edition: tells what is deployed in this process from what is deployed in any other. sleep: waits within a request,
    where no server holds requests back.
    """

    operations: Operations
    registry: Registry
    call: EngineCaller
    describe: Callable[[], str]
    edition: str
    timelines: Timelines = field(default_factory=Timelines)
    start_threads: int = 1
    sleep: Callable[[float], None] | None = None

    def start_all(self, starts: Sequence[StartArguments]) -> list[Started | Exception]:
        """Starts executions: the outcome of each, in their order."""
        if self.start_threads == 1 or len(starts) == 1:
            return self.call(self.operations.start_many(starts))
        outcomes: list[Started | Exception] = []
        size = -(-len(starts) // self.start_threads)
        shares = [starts[begin : begin + size] for begin in range(0, len(starts), size)]
        with ThreadPoolExecutor(self.start_threads, "stepfast-starts") as threads:
            # `call` keeps one event loop, which only one thread may run: each of these threads has a loop of its own.
            # Each thread also has a context of its own, with what this request is called from.
            contexts = [contextvars.copy_context() for _ in shares]
            for share in threads.map(lambda context, share: context.run(self._start_share, share), contexts, shares):
                outcomes += share
        return outcomes

    def _start_share(self, starts: Sequence[StartArguments]) -> list[Started | Exception]:
        return asyncio.run(self.operations.start_many(starts))


def reply(status: int, body: BaseModel, headers: Mapping[str, str] | None = None) -> Response[str]:
    return Response(status, "application/json", body.model_dump_json(), dict(headers or {}))


def answers(*models: tuple[int, str, type[BaseModel]], problems_of: Mapping[int, str] | None = None) -> dict[int, Any]:
    """The `responses` of a route for OpenAPI: what it answers, and which problems."""
    from stepfast.http.models import Problem  # when a route is loaded: a cold start makes no models

    described: dict[int, Any] = {
        status: {"description": text, "content": {"application/json": {"model": model}}}
        for status, text, model in models
    }
    for status, text in {**(problems_of or {}), 503: "the store is away; try again"}.items():
        described[status] = {"description": text, "content": {problems.CONTENT_TYPE: {"model": Problem}}}
    # Without an entry for 422, Powertools adds its own HTTPValidationError to every route.
    described.setdefault(
        422, {"description": "a field is wrong", "content": {problems.CONTENT_TYPE: {"model": Problem}}}
    )
    return described
