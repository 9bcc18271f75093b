"""What an agent is doing, for those who watch its execution: the progress of its steps, and the status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.agent import EventStreamHandler
from pydantic_ai.durable_exec import DurableOperationId, ModelRequestId, ToolsetCallToolId
from pydantic_ai.messages import (
    AgentStreamEvent,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
)

from stepfast.errors import StepCancelled
from stepfast.integrations.pydantic_ai.naming import LONGEST_NAME_CHARS
from stepfast.integrations.pydantic_ai.wire import text_of
from stepfast.language.context import StepContext, current
from stepfast.language.showing import set_status

Doing = dict[str, Any]

REPORT_SECONDS = 1.0
"""Seconds between two reports of a text that grows, at least."""
LONGEST_TEXT_BYTES = 800
"""Bytes of JSON of a text, and of a tool's arguments. Both kinds fit into a step's progress with all else."""
MOST_CALLS = 8
"""Tools of one answer that are named."""
_KINDS = (
    {"agent", "request"},
    {"agent", "tool"},
)
_FIELDS = frozenset({"agent", "request", "text", "calls", "tool", "arguments"})


@dataclass(frozen=True)
class ShownProgress:
    """What one agent reports. steps: whether its steps report; arguments: with the arguments of tools.

    status: whether it is the execution's status value, too; without arguments.
    """

    agent: str
    steps: bool = True
    arguments: bool = False
    status: bool = False

    def of(self, operation_id: DurableOperationId, params: Any) -> Doing | None:
        """What an operation does; None for those that are over at once, such as a list of tools."""
        match operation_id:
            case ModelRequestId():
                return {"agent": self.agent, "request": params.run_context.run_step}
            case ToolsetCallToolId():
                return {"agent": self.agent, "tool": _plain(params.name)[:LONGEST_NAME_CHARS]}
        return None

    def show_status(self, operation_id: DurableOperationId, params: Any) -> None:
        """In workflow code: makes what the agent does the status of the execution, if that was asked for."""
        if self.status and (doing := self.of(operation_id, params)) is not None:
            set_status(doing)

    @contextmanager
    def reporting(self, operation_id: DurableOperationId, params: Any) -> Iterator[Reporter | None]:
        """In a step: reports what the operation does. In the block, code of the user reports in its own right.

        Progress that a tool or an event handler reports itself is never overwritten, not even that of an earlier
        attempt: the tool may go on from it. A tool does not get the agent's own reports as its `last_progress`.
        """
        context, doing = current.get(None), self.of(operation_id, params)
        if context is None or doing is None:
            yield None
            return
        if self.arguments and "tool" in doing:
            # In a step they are plain JSON, while in workflow code they may be objects of any class.
            doing["arguments"] = _first(text_of(params.tool_args))
        foreign = context.reported is not None and not self._is_own(context.last_progress)
        reporter = Reporter(context, doing, silent=foreign or not self.steps)
        theirs = replace(context, report=reporter.taken_over, reported=context.reported if foreign else None)
        tokens = current.set(theirs), _reporter.set(reporter)
        try:
            reporter.report()
            yield reporter
        finally:
            current.reset(tokens[0])
            _reporter.reset(tokens[1])

    def _is_own(self, reported: Any) -> bool:
        return (
            isinstance(reported, Mapping)
            and reported.get("agent") == self.agent
            and any(kind <= reported.keys() for kind in _KINDS)
            and reported.keys() <= _FIELDS
        )


@dataclass
class Reporter:
    """Reports what one attempt does, at most once in REPORT_SECONDS. It never fails or stops the attempt.

    silent: the step reports something of its own, or nothing was asked for.
    """

    context: StepContext
    doing: Doing
    silent: bool
    _text: str = ""
    _calls: list[str] = field(default_factory=list)
    _reported_at: float = float("-inf")

    def report(self) -> None:
        if self.silent:
            return
        self._reported_at = asyncio.get_running_loop().time()
        with suppress(StepCancelled):  # the runner stops the attempt where that is due; a finished answer is kept
            self.context.heartbeat(progress=self.doing)

    def taken_over(self, progress: str) -> None:
        """Takes a report of the user's own code, and is silent from then on."""
        self.silent = True
        self.context.report(progress)

    async def watched(self, events: AsyncIterable[AgentStreamEvent]) -> AsyncIterator[AgentStreamEvent]:
        """The same events, while the text so far and the names of the called tools are reported."""
        async for event in events:
            self._take(event)
            if asyncio.get_running_loop().time() - self._reported_at >= REPORT_SECONDS:
                self._report_answer()
            yield event

    def ended(self, response: object) -> None:
        """Reports the answer of the model as a whole. It is written with the end of the attempt."""
        if isinstance(response, ModelResponse) and "request" in self.doing:
            self._text, self._calls = "", []
            for part in response.parts:
                self._take_part(part)
            self._report_answer()

    def _take(self, event: AgentStreamEvent) -> None:
        if isinstance(event, PartStartEvent):
            self._take_part(event.part)
        elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
            self._text = (self._text + event.delta.content_delta)[-LONGEST_TEXT_BYTES:]

    def _take_part(self, part: object) -> None:
        if isinstance(part, TextPart):
            self._text = f"{self._text}\n{part.content}".lstrip("\n")[-LONGEST_TEXT_BYTES:]
        elif isinstance(part, ToolCallPart) and len(self._calls) < MOST_CALLS:
            self._calls.append(_plain(part.tool_name)[:LONGEST_NAME_CHARS])

    def _report_answer(self) -> None:
        self.doing |= {"text": _last(self._text)} if self._text else {}
        self.doing |= {"calls": list(self._calls)} if self._calls else {}
        self.report()


_reporter: ContextVar[Reporter | None] = ContextVar("stepfast_agent_reporter", default=None)


def watching(handler: EventStreamHandler[Any] | None) -> EventStreamHandler[Any] | None:
    """A handler of the events of a model that reports them, and hands them to another one if there is one."""
    reporter = _reporter.get()
    if reporter is None or reporter.silent:
        return handler

    async def handle(context: RunContext[Any], events: AsyncIterable[AgentStreamEvent]) -> None:
        watched = reporter.watched(events)
        if handler is not None:
            await handler(context, watched)
        async for _ in watched:  # what a handler has left
            pass

    return handle


def _plain(text: str) -> str:
    """The text without surrogates, which have no JSON form in UTF-8."""
    return text.encode(errors="replace").decode()


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())


def _last(text: str) -> str:
    """The end of a text, as much of it as fits into LONGEST_TEXT_BYTES of JSON."""
    kept = _plain(text)
    while _size(kept) > LONGEST_TEXT_BYTES:
        kept = kept[-(len(kept) * 3 // 4) :]
    return kept if kept == _plain(text) else f"…{kept}"


def _first(text: str) -> str:
    kept = _plain(text[:LONGEST_TEXT_BYTES])
    while _size(kept) > LONGEST_TEXT_BYTES:
        kept = kept[: len(kept) * 3 // 4]
    return kept if len(kept) == len(text) else f"{kept}…"
