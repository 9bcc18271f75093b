"""What authors of workflows import first: @workflow and @step. (Signals, time and random numbers: see durable.py.)

In a workflow these ask the replay that is running for a command; outside a workflow a step is just
its function.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from functools import cached_property
from logging import LogRecord
from typing import TYPE_CHECKING, Any, Generic, Never, ParamSpec, Protocol, TypeVar, cast, overload

from stepfast import callables, labels
from stepfast.arguments import Arguments, hints_of
from stepfast.codec import UNTYPED, Codec
from stepfast.errors import DefinitionError, ForbiddenInWorkflow
from stepfast.options import KEPT, Seconds, refuse_others
from stepfast.options import NAME as NAME
from stepfast.options import name_of as _name
from stepfast.options import policy_of as _policy
from stepfast.options import seconds_of as _seconds
from stepfast.retry import Retry
from stepfast.unawaited import Unawaited

if TYPE_CHECKING:
    from stepfast.model import Execution

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_TIMEOUT = 300.0
DEFAULT_POOL = "default"
STEP_FUNCTIONS: set[str] = set()
"""What the functions of all steps are called, for tests that put a mock in the place of one."""


class Commands(Protocol):
    """What a replay offers to the workflow code that it runs."""

    execution: Execution

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
    clock = 0.0
    """Seconds since the epoch, UTC, at the last result that the workflow has seen."""
    unawaited: Unawaited

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


def commands_for(what: str) -> Commands:
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
        label: labels.Label | None = None,
    ) -> None:
        function = callables.plain(function, "step")
        self.function = function
        self.name = _name(callables.named(function, "step", name), "step")
        STEP_FUNCTIONS.add(getattr(function, "__name__", self.name))
        self.retry = _policy(retry, self.name) or Retry(max_attempts=1 if at_most_once else 3)
        self.timeout = _seconds(timeout, f"step {self.name!r}: timeout")
        self.heartbeat = None if heartbeat is None else _seconds(heartbeat, f"step {self.name!r}: heartbeat")
        self.pool = _name(pool, "pool")
        self.at_most_once = at_most_once
        self.is_async = inspect.iscoroutinefunction(function)
        self.arguments = Arguments(function, f"step {self.name!r}: argument")
        self.label = labels.check(label, self.arguments.signature, f"step {self.name!r}")
        callables.remember(function, "step", self.name)
        bare = callables.annotated(function)
        self.__name__ = self.name
        self.__doc__ = bare.__doc__
        self.__module__ = bare.__module__
        self.__wrapped__ = function
        self.declared: Step[P, R] = self

    @cached_property
    def result(self) -> Codec:
        """The codec of the return annotation; without one, plain JSON values only."""
        if self.declared is not self:
            return self.declared.result
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

    def options(
        self,
        *,
        retry: Retry = KEPT,
        timeout: Seconds = KEPT,
        heartbeat: Seconds | None = KEPT,
        name: str = KEPT,
        **other: Never,
    ) -> Step[P, R]:
        """This step with other options, for one call: `await charge.options(timeout=60)(order)`.

        retry, timeout, heartbeat: as for @step; no part of the record, so that changing them is safe while executions
        are in flight. name: how records call it; another name is another step. The pool stays: on AWS its function
        must have time for the timeout, or the execution fails with StepNotDeployed. Raises DefinitionError.
        """
        refuse_others(self.name, other)
        changed = copy.copy(self)
        if name is not KEPT:
            changed.name = changed.__name__ = _name(name, "step")
        if retry is not KEPT:
            changed.retry = _policy(retry, self.name, least=True) or self.retry
        if timeout is not KEPT:
            changed.timeout = _seconds(timeout, f"step {self.name!r}: timeout")
        if heartbeat is not KEPT:
            changed.heartbeat = None if heartbeat is None else _seconds(heartbeat, f"step {self.name!r}: heartbeat")
        return changed

    def __repr__(self) -> str:
        return f"<step {self.name!r}>"


class StepCall(Coroutine[object, None, R]):
    """The coroutine of one step call in a workflow; the command is issued when it is first awaited."""

    def __init__(self, step: Step[..., R], arguments: dict[str, Any]) -> None:
        self.step = step
        self._inner: Coroutine[Any, Any, R] = _asked(step, arguments)
        self._loop = cast(CommandLoop, asyncio._get_running_loop())
        self._number = self._loop.unawaited.called(step.name)
        self._started = False

    @property
    def __name__(self) -> str:
        return self.step.name

    def _begin(self) -> None:
        if not self._started:
            self._started = True
            self._loop.unawaited.begun(self._number)

    def send(self, value: Any, /) -> Any:
        self._begin()
        return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        self._begin()
        return self._inner.throw(*error)

    def close(self) -> None:
        self._begin()
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, R]:
        self._begin()
        return self._inner.__await__()

    def __del__(self) -> None:
        if not self._started:
            self._inner.close()
            self._loop.unawaited.dropped(self._number, self._loop)


async def _asked(step: Step[..., R], arguments: dict[str, Any]) -> R:
    return cast(R, await commands_for(f"step {step.name!r}").step(step, arguments))


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
    label: labels.Label | None = None,
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
    label: labels.Label | None = None,
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
    label: which item a call is about, as the dashboard shows it: a template of the arguments, such as "{order.id}", or
        a function of them, quick and without effects. The first argument without one.

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
            label=label,
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
