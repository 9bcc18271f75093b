"""What authors of workflows import: @workflow, @step, signal, now, random, uuid4, current_step.

In a workflow these ask the replay that is running for a command; outside a workflow a step is just
its function.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import uuid
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from logging import LogRecord
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from typing_extensions import TypeForm

from stepfast import callables
from stepfast.arguments import Arguments, hints_of
from stepfast.codec import UNTYPED, Codec
from stepfast.errors import DefinitionError, ForbiddenInWorkflow
from stepfast.retry import Retry

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
DEFAULT_TIMEOUT = 300.0
DEFAULT_POOL = "default"
Seconds = float | timedelta


class Commands(Protocol):
    """What a replay offers to the workflow code that it runs."""

    def step(self, step: Step[..., Any], arguments: dict[str, Any]) -> Awaitable[Any]: ...
    def signal(self, name: str, codec: Codec) -> Awaitable[Any]: ...
    def now(self) -> float: ...
    def entropy(self, use: str) -> bytes: ...
    def refuse(self, error: ForbiddenInWorkflow) -> ForbiddenInWorkflow: ...
    def log(self, record: LogRecord) -> None: ...


class CommandLoop(asyncio.AbstractEventLoop):
    """An event loop that runs workflow code; being the running loop is what "in a workflow" means."""

    discarded = False
    """True from when its replay is closed: what runs then runs only to tidy up."""

    @property
    def commands(self) -> Commands:
        raise NotImplementedError

    def number(self) -> int:
        """The next number for a task or future, by which it hashes."""
        raise NotImplementedError

    def pending_tasks(self) -> Sequence[asyncio.Task[Any]]:
        """The tasks that are not done, in the order in which they were made."""
        raise NotImplementedError


def in_workflow() -> Commands | None:
    """The commands of the replay running in this thread, or None outside workflow code."""
    loop = asyncio._get_running_loop()
    return loop.commands if isinstance(loop, CommandLoop) else None


def _commands(what: str) -> Commands:
    commands = in_workflow()
    if commands is None:
        raise ForbiddenInWorkflow(f"{what} works only in workflow code: call it from a function with @workflow")
    return commands


# -- steps ------------------------------------------------------------------------------------------


class Step(Generic[P, R]):
    """A function whose calls in workflow code are recorded, retried and never repeated once recorded.

    Called in a workflow it returns a coroutine for its recorded result. Called anywhere else it is
    just `function`: an `async def` returns its coroutine, a `def` runs and returns its result.
    """

    __stepfast_definition__ = "step"

    def __init__(
        self,
        function: Callable[P, Any],
        *,
        name: str | None,
        retry: Retry | None,
        timeout: Seconds,
        heartbeat: Seconds | None,
        pool: str,
        at_most_once: bool,
    ) -> None:
        function = callables.plain(function, "step")
        self.function = function
        self.name = _name(callables.named(function, "step", name), "step")
        if not isinstance(retry, Retry | None):
            raise DefinitionError(f"step {self.name!r}: retry takes a Retry, not {retry!r}")
        self.retry = retry or Retry(max_attempts=1 if at_most_once else 3)
        self.timeout = _seconds(timeout, f"step {self.name!r}: timeout")
        self.heartbeat = None if heartbeat is None else _seconds(heartbeat, f"step {self.name!r}: heartbeat")
        self.pool = _name(pool, "pool")
        self.at_most_once = at_most_once
        self.is_async = inspect.iscoroutinefunction(function)
        self.arguments = Arguments(function, f"step {self.name!r}: argument")
        callables.remember(function, "step", self.name)
        bare = callables.annotated(function)
        self.__name__ = self.name
        self.__doc__ = bare.__doc__
        self.__module__ = bare.__module__
        self.__wrapped__ = function

    @cached_property
    def result(self) -> Codec:
        """The codec of the return annotation; without one, plain JSON values only."""
        where = f"step {self.name!r}"
        returns = hints_of(self.function, where).get("return", UNTYPED)
        return Codec(callables.result_type(self.function, returns), f"{where}: result")

    def check(self) -> None:
        """Builds the codecs now; DefinitionError for types that JSON cannot hold."""
        self.arguments.check()
        _ = self.result.adapter

    @property
    def lease(self) -> float:
        """Seconds without a sign of life after which the worker is taken for dead, margin not included."""
        return self.timeout if self.heartbeat is None else min(self.heartbeat, self.timeout)

    # No Any in what it returns: mypy would take gather() of two different steps for Any.
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, R]:
        if in_workflow() is None:
            return cast("Coroutine[object, None, R]", self.function(*args, **kwargs))
        return StepCall(self, self.arguments.bind(args, kwargs))  # a wrong call fails where it stands

    def __repr__(self) -> str:
        return f"<step {self.name!r}>"


class StepCall(Coroutine[object, None, R]):
    """The coroutine of one step call in a workflow; the command is issued when it is first awaited."""

    def __init__(self, step: Step[..., R], arguments: dict[str, Any]) -> None:
        self.step = step
        self._inner: Coroutine[Any, Any, R] = _asked(step, arguments)
        self._loop = asyncio._get_running_loop()
        self._started = False

    @property
    def __name__(self) -> str:
        return self.step.name

    def send(self, value: Any, /) -> Any:
        self._started = True
        return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        self._started = True
        return self._inner.throw(*error)

    def close(self) -> None:
        self._started = True
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, R]:
        self._started = True
        return self._inner.__await__()

    def __del__(self) -> None:
        if not self._started:
            self._inner.close()
            if not getattr(self._loop, "discarded", True):
                warnings.warn(
                    f"step {self.step.name!r} was called and never awaited: it has not run",
                    RuntimeWarning,
                    stacklevel=2,
                )


async def _asked(step: Step[..., R], arguments: dict[str, Any]) -> R:
    return cast(R, await _commands(f"step {step.name!r}").step(step, arguments))


class _StepDecorator(Protocol):
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Step[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(function: Callable[P, Coroutine[Any, Any, R]], /) -> Step[P, R]: ...
@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout: Seconds = DEFAULT_TIMEOUT,
    heartbeat: Seconds | None = None,
    pool: str = DEFAULT_POOL,
    at_most_once: bool = False,
) -> _StepDecorator: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout: Seconds = DEFAULT_TIMEOUT,
    heartbeat: Seconds | None = None,
    pool: str = DEFAULT_POOL,
    at_most_once: bool = False,
) -> Any:
    """Makes a `def` or `async def` function a step; `def` functions run in threads, several at once.

    name: how records call it, the function's own name by default. Renaming it makes it another step.
    retry: the policy for exceptions; `Retry()` by default, one attempt for at_most_once.
    timeout: seconds one attempt may take; then it fails with StepTimeout (a `def` step's thread cannot
        be stopped: its late result is dropped).
    heartbeat: seconds that may pass between two calls of `current_step().heartbeat()`; set it on long
        steps, so that a dead worker is noticed after this time rather than after the whole timeout.
    pool: steps of one pool share a queue, and on AWS a Lambda with its memory and its concurrency.
    at_most_once: a crash or a timeout in the middle of it fails the step instead of running it again.
        Exceptions are retried only by a policy that you give explicitly.

    Arguments and result are validated and stored as JSON by their annotations; without an annotation
    only plain JSON values are taken. Raises DefinitionError.
    """

    def decorate(function: Callable[..., Any]) -> Step[..., Any]:
        return Step(
            function,
            name=name,
            retry=retry,
            timeout=timeout,
            heartbeat=heartbeat,
            pool=pool,
            at_most_once=at_most_once,
        )

    return decorate if function is None else decorate(function)


# -- workflows --------------------------------------------------------------------------------------


class Workflow(Generic[P, R]):
    """An async function under a name; awaited inside another workflow it is just that function."""

    __stepfast_definition__ = "workflow"

    def __init__(self, function: Callable[P, Coroutine[Any, Any, R]], name: str) -> None:
        self.name = _name(name, "workflow")
        function = callables.plain(function, "workflow")
        if not callables.is_awaited(function):
            raise DefinitionError(f"workflow {self.name!r}: @workflow goes on an `async def` function")
        callables.remember(function, "workflow", self.name)
        self._hinted = function
        self.function: Callable[P, Coroutine[Any, Any, R]] = callables.as_coroutine_function(function)
        parameters = list(inspect.signature(function).parameters.values())
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if len(parameters) > 1 or any(one.kind not in positional for one in parameters):
            raise DefinitionError(f"workflow {self.name!r} takes at most one argument: gather its inputs in one model")
        self._parameter = parameters[0] if parameters else None
        self.__name__ = self.name
        bare = callables.annotated(function)
        self.__doc__ = bare.__doc__
        self.__module__ = bare.__module__
        self.__wrapped__ = function

    @cached_property
    def input(self) -> Codec:
        """The codec of the one argument; null for a workflow that takes none."""
        where = f"workflow {self.name!r}"
        if self._parameter is None:
            return Codec(type(None), f"{where}: input")
        hints = hints_of(self._hinted, where)
        return Codec(hints.get(self._parameter.name, UNTYPED), f"{where}: input")

    @cached_property
    def result(self) -> Codec:
        where = f"workflow {self.name!r}"
        returns = hints_of(self._hinted, where).get("return", UNTYPED)
        return Codec(callables.result_type(self._hinted, returns), f"{where}: result")

    def check(self) -> None:
        """Builds the codecs now; DefinitionError for types that JSON cannot hold."""
        _ = self.input.adapter, self.result.adapter

    def coroutine(self, input: str) -> Coroutine[Any, Any, R]:
        """The workflow's coroutine, not started, for an input text."""
        value = self.input.decode(input)
        function = cast("Callable[..., Coroutine[Any, Any, R]]", self.function)
        return function() if self._parameter is None else function(value)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<workflow {self.name!r}>"


@overload
def workflow(name: str, /) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Workflow[P, R]]: ...
@overload
def workflow(name: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...
def workflow(name: Any, /) -> Any:
    """Makes an `async def` function of at most one argument a workflow, under a name that must stay.

    Executions refer to the workflow by this name: renaming it leaves them waiting for the old one.
    Without a name the function's own is taken. Raises DefinitionError.
    """
    if isinstance(name, str) or not (callable(name) or hasattr(name, "__func__")):
        return lambda function: Workflow(function, name)
    function = callables.plain(name, "workflow")
    return Workflow(function, callables.named(function, "workflow", None))


@overload
async def signal(name: str, type: type[T], *, timeout: Seconds | None = None) -> T: ...
@overload
async def signal(name: str, type: TypeForm[T], *, timeout: Seconds | None = None) -> T: ...
@overload
async def signal(name: str, *, timeout: Seconds | None = None) -> Any: ...
async def signal(name: str, type: Any = UNTYPED, *, timeout: Seconds | None = None) -> Any:
    """Waits for the next signal of this name and returns its payload as `type`.

    Signals are taken in the order received, each once, also those sent before anyone waited; one whose
    payload does not fit `type` is left alone. Raises TimeoutError after `timeout` (seconds or timedelta).
    """
    _commands("signal()")
    codec = Codec(type, f"signal {_name(name, 'signal')!r}: payload")
    if timeout is None:
        return await _commands("signal()").signal(name, codec)
    async with asyncio.timeout(_seconds(timeout, f"signal {name!r}: timeout", least=0.0)):
        return await _commands("signal()").signal(name, codec)


def now() -> datetime:
    """The time of the last result that the workflow has seen (UTC); the same in every replay."""
    return datetime.fromtimestamp(_commands("now()").now(), UTC)


def random() -> float:
    """A number from 0 up to 1, not included; the same in every replay, another at every call."""
    return int.from_bytes(_commands("random()").entropy("random")[:7], "big") / (1 << 56)


def uuid4() -> uuid.UUID:
    """A version 4 UUID; the same in every replay, another at every call."""
    return uuid.UUID(bytes=_commands("uuid4()").entropy("uuid4")[:16], version=4)


def _name(name: object, what: str) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DefinitionError(f"a {what} name is 1 to 64 of A-Z a-z 0-9 . _ -, not {name!r}")
    return name


def _seconds(value: Seconds, what: str, least: float = 1e-6) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not least <= seconds < float("inf"):
        raise DefinitionError(f"{what} is a number of seconds above 0 or a timedelta, not {value!r}")
    return float(seconds)
