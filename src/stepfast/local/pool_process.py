"""A process of a pool: it imports the workflows and runs the `def` steps that its server sends, one at a time.

The main thread runs the steps. A second thread reads what the server sends. So `heartbeat()` learns that an attempt
must stop, and the process ends when the server has died.
"""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import importlib
import inspect
import json
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from multiprocessing.connection import Connection
from typing import Any

from stepfast.errors import StepCancelled
from stepfast.functions import logs
from stepfast.language import callables, reachable
from stepfast.language.context import StepContext, current
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.local.pool_errors import raised_of
from stepfast.local.pool_messages import CallBeat, CallDone, Key, PoolLog, PoolReady, PoolSetup, RunStep, StopStep
from stepfast.replay.failures import describe_error

SERVER_LOOK_SECONDS = 5.0
"""The time between two looks at whether the server lives, for a process that hears nothing from it.

The connection tells as well, unless a step in a thread of the server has forked a process that still holds it.
"""

Steps = dict[Key, Step[..., Any]]


def key_of(step: Step[..., Any]) -> Key:
    """What identifies a step in all processes that run the same code."""
    function = callables.without_partials(step.function)
    module = getattr(function, "__module__", None) or ""
    return step.declared.name, module, getattr(function, "__qualname__", type(function).__qualname__)


def find_steps(modules: Iterable[str], keys: frozenset[Key]) -> Steps:
    """Imports the modules and returns those of the steps that they define or that their workflows reach."""
    defined = reachable.defined_in([importlib.import_module(name) for name in modules])
    steps = {key_of(step): step for step in defined.steps}
    if not keys <= steps.keys():
        steps = {key_of(step): step for step in Registry(defined.workflows).steps} | steps
    return {key: steps[key] for key in keys & steps.keys()}


class PoolProcess:
    """The process's side of the connection to its server."""

    def __init__(self, connection: Connection, server: int) -> None:
        self._connection, self._server = connection, server
        self._sending = threading.Lock()
        self._requests: queue.SimpleQueue[RunStep | None] = queue.SimpleQueue()
        self._stop: StopStep | None = None
        """The newest one. It may arrive before its call has begun."""

    def serve(self) -> None:
        """Imports the code, and runs steps until the server says that it ends."""
        try:
            setup: PoolSetup = self._connection.recv()
        except EOFError:  # The server has died already.
            return
        _send_logs(self._send, setup)
        threading.Thread(target=self._read, name="stepfast-pool-reader", daemon=True).start()
        steps = find_steps(setup.modules, setup.steps)
        self._send(PoolReady(frozenset(steps)))
        while (request := self._requests.get()) is not None:
            step = steps.get(request.key)
            self._send(CallDone(request.number, unknown=True) if step is None else self._run(step, request))

    def _send(self, message: object) -> None:
        with self._sending, suppress(OSError):  # The server has died: the reader ends this process.
            self._connection.send(message)

    def _read(self) -> None:
        """Takes messages until the connection is closed, which means that the server has died."""
        with suppress(EOFError, OSError):
            while self._connection.poll(SERVER_LOOK_SECONDS) or os.getppid() == self._server:
                if not self._connection.poll():
                    continue
                message = self._connection.recv()
                if isinstance(message, StopStep):
                    self._stop = message
                else:
                    self._requests.put(message)
        _end_at_once()

    def _run(self, step: Step[..., Any], request: RunStep) -> CallDone:
        progress = [""]  # what the step has reported last
        context = StepContext(
            execution_id=request.execution_id,
            step_id=request.step_id,
            attempt=request.attempt,
            generation=request.generation,
            deadline_at=request.deadline_at,
            beat=self._heart_of(request, progress),
            make_key=lambda: request.idempotency_key,
            run=request.run,
            began_at=request.began_at,
            carrier=request.carrier,
            report=lambda text: progress.__setitem__(0, text),
            reported=request.reported,
        )
        with logs.about(request.execution_id), _inside(request.carrier):
            scope = contextvars.copy_context()
        scope.run(current.set, context)
        try:
            return CallDone(
                request.number, output=scope.run(_result_of, step, request.input), progress=progress[0] or None
            )
        except BaseException as error:  # SystemExit must not end the process
            return CallDone(
                request.number, raised=raised_of(error), failure=describe_error(error), progress=progress[0] or None
            )

    def _heart_of(self, request: RunStep, progress: list[str]) -> Callable[[], None]:
        """What `heartbeat()` of this call does: it tells the server, and raises if the attempt must stop."""
        beaten = float("-inf")

        def beat() -> None:
            nonlocal beaten
            stop = self._stop
            if stop is not None and stop.number == request.number and stop.reason is not None:
                raise StepCancelled(stop.reason)
            now = time.monotonic()
            if now - beaten >= request.beat_seconds:
                beaten = now
                self._send(CallBeat(request.number, progress[0] or None))

        return beat


def _inside(carrier: Mapping[str, str]) -> AbstractContextManager[None]:
    """Spans that the step makes belong to its own, if its server makes spans."""
    if not carrier:
        return nullcontext()
    from stepfast.telemetry.attached import attached

    return attached(carrier)


def _result_of(step: Step[..., Any], input: str) -> str:
    """Runs the step. Returns the text of its result."""
    value = step.arguments.call(step.function, step.arguments.decode(input))
    if inspect.isawaitable(value):  # Under many decorators an `async def` becomes a `def` that returns an awaitable.
        value = asyncio.run(_awaited(value))
    return step.result.encode(value)[0]


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _end_at_once() -> None:
    """Ends this process, and the processes that its step has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


# -- logs -----------------------------------------------------------------------------------------------


class _LogSender(logging.Handler):
    """Sends log records to the server, whose handlers write them."""

    def __init__(self, send: Callable[[object], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            logs.name_execution(record)
            attributes = {name: _plain(value) for name, value in vars(record).items()}
            attributes |= {"msg": record.getMessage(), "args": (), "exc_info": None}
            if record.exc_info:
                attributes["exc_text"] = record.exc_text or logging.Formatter().formatException(record.exc_info)
            self._send(PoolLog(attributes))
        except Exception:
            self.handleError(record)


def _plain(value: Any) -> Any:
    """The value, if it is plain JSON; its text otherwise."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _send_logs(send: Callable[[object], None], setup: PoolSetup) -> None:
    """Makes this process log what its server logs, through the server."""
    logging.basicConfig(handlers=[_LogSender(send)], force=True)
    for name, level in setup.log_levels.items():
        logging.getLogger(name or None).setLevel(level)


def main(descriptor: int, server: int) -> None:
    """Serves the server with this process id on the connection with this file descriptor."""
    faulthandler.enable()
    PoolProcess(Connection(descriptor), server).serve()
