"""The queries and updates of one replay, and the task that takes updates (docs/adr/0047-queries-and-updates.md)."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from stepfast.errors import ForbiddenInWorkflow
from stepfast.frames import calls
from stepfast.language.handlers import AskedFunction, QueryFunction, UpdateFunction
from stepfast.records import dataclass
from stepfast.replay.tasks import WorkflowTask
from stepfast.update_errors import NoSuchHandler
from stepfast.values.codec import Codec

if TYPE_CHECKING:
    from stepfast.replay.loop import WorkflowLoop

SIGNAL = ":update"
"""The name of the signals that bring updates. No signal of a user has a colon in its name."""
_PREFIX = "update:"


def command_of(update_id: str) -> str:
    """The id under which the outcome of an update is recorded, and which the ids of its steps begin with."""
    return _PREFIX + update_id


def signal_of(update_id: str) -> str:
    """The id of the signal that brings an update."""
    return _PREFIX + update_id


def is_of_update(command_id: str) -> bool:
    """Whether a command was asked for by the code of an update."""
    return command_id.removeprefix("cancelled/").startswith(_PREFIX)


@dataclass(frozen=True, slots=True)
class UpdateArrival:
    """An update as its signal brings it. payload: parsed JSON."""

    id: str
    name: str
    payload: JsonValue

    @property
    def text(self) -> str:
        """The payload as JSON text."""
        return json.dumps(self.payload, ensure_ascii=False)


ARRIVAL = Codec(UpdateArrival, "update")


@dataclass(frozen=True, slots=True)
class UpdateAnswer:
    """How an update has ended in this replay: with a result as JSON text, or with an error.

    began_at, ended_at: by the clock of the replay, so each is the same in every replay.
    """

    arrival: UpdateArrival
    began_at: float
    ended_at: float
    result: str | None = None
    error: BaseException | None = None


class Handlers:
    """What the code has registered. It holds no reference to the replay, which is to be finalized when it is dropped.

    running: the updates that have begun and not ended. answers: the updates that have ended, by their ids.
    only_looks: what runs now and must ask for nothing, as errors name it; None for code that may ask for commands.
    """

    def __init__(self, loop: WorkflowLoop) -> None:
        self._loop = loop
        self.queries: dict[str, QueryFunction[..., Any]] = {}
        self.updates: dict[str, UpdateFunction[..., Any]] = {}
        self.running: dict[str, WorkflowTask] = {}
        self.answers: dict[str, UpdateAnswer] = {}
        self.only_looks: str | None = None
        self._taker: WorkflowTask | None = None
        self._over = False

    def add(self, handler: AskedFunction) -> None:
        """Registers a query or an update. The first update begins the task that takes them."""
        if isinstance(handler, QueryFunction):
            self.queries[handler.name] = handler
            return
        self.updates[handler.name] = handler
        if self._taker is None and not self._over:
            self._taker = self._task(self._take(), "")

    def end(self) -> None:
        """The workflow's own coroutine has ended: updates that still run get no answer."""
        self._over = True

    async def all_done(self) -> None:
        """Waits until no update runs, other than one that calls this."""
        me = asyncio.current_task(self._loop)
        while others := [task for task in self.running.values() if task is not me]:
            await asyncio.wait(others)

    # -- updates -----------------------------------------------------------------------------------------

    async def _take(self) -> None:
        """Begins updates in the order in which they have arrived."""
        while True:
            arrival: UpdateArrival = await self._loop.commands.signal(SIGNAL, ARRIVAL)
            task = self._task(self._run(arrival), command_of(arrival.id))
            self.running[arrival.id] = task

    async def _run(self, arrival: UpdateArrival) -> None:
        began_at, text = self._loop.clock, arrival.text
        result: str | None = None
        error: BaseException | None = None
        try:
            self.check(arrival.name, text)
            handler = self.updates[arrival.name]
            result = handler.result.text(await handler.called(handler.function, text))
        except Exception as raised:
            error = raised
        except asyncio.CancelledError as cancelled:
            error = cancelled
            if self._over:
                raise
        finally:
            self.running.pop(arrival.id, None)
        if not self._over:
            self.answers[arrival.id] = UpdateAnswer(arrival, began_at, self._loop.clock, result, error)

    def _task(self, coroutine: Any, path: str) -> WorkflowTask:
        task = WorkflowTask(coroutine, self._loop.number(), path, None, self._loop, contextvars.Context())
        task.watched = True  # its failure is the answer of the update, and nobody awaits it
        return task

    def check(self, name: str, payload: str) -> None:
        """NoSuchHandler, InvalidRequest for a payload of another type, and whatever the update's own check raises."""
        handler = self.updates.get(name)
        if handler is None:
            raise _unknown("update", name, list(self.updates))
        handler.payload.decode(payload)
        if handler.checks is not None:
            with self._looking(f"the check of update {name!r}"):
                handler.called(handler.checks, payload)

    # -- from outside ------------------------------------------------------------------------------------

    def ask(self, name: str, payload: str) -> str:
        """The answer of a query as JSON text. Raises NoSuchHandler, and what the query raises."""
        handler = self.queries.get(name)
        if handler is None:
            raise _unknown("query", name, list(self.queries))

        def answer() -> str:
            return handler.result.text(handler.called(handler.function, payload))

        with self._looking(f"query {name!r}"):
            return answer()

    @contextmanager
    def _looking(self, who: str) -> Iterator[None]:
        self.only_looks = self._loop.unawaited.only_looks = who
        try:
            yield
        finally:
            self.only_looks = self._loop.unawaited.only_looks = None

    @calls("workflow")
    def from_outside(self, function: Callable[[], Any]) -> Any:
        """Calls a function as code of the workflow. Only for a replay that is thrown away afterwards."""
        with self._loop.entered():
            return contextvars.Context().run(function)


def looks_only(who: str) -> ForbiddenInWorkflow:
    return ForbiddenInWorkflow(
        f"{who} asked for a step, a sleep, a signal, a child, a task or chance: it may only look at the workflow's "
        "variables; write an @update for work that is to be recorded"
    )


def _unknown(kind: str, name: str, names: list[str]) -> NoSuchHandler:
    known = f"it has {', '.join(map(repr, sorted(names)))}" if names else f"it has no @{kind} at this point"
    return NoSuchHandler(f"the execution has no {kind} {name!r}: {known}")
