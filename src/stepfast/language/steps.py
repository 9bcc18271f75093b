"""@step: in workflow code its calls ask the replay for a command; anywhere else a step is just its function."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import cached_property
from typing import Any, Generic, Never, ParamSpec, Protocol, TypeVar, cast, overload

from stepfast.language import callables, direct, labels, standing_inputs
from stepfast.language.arguments import Arguments, hints_of
from stepfast.language.calls import CommandCall
from stepfast.language.limits import Limit, limits_of
from stepfast.language.options import AS_DECLARED, Seconds, refuse_others
from stepfast.language.options import name_of as _name
from stepfast.language.options import policy_of as _policy
from stepfast.language.options import seconds_of as _seconds
from stepfast.language.retry import Retry
from stepfast.language.workflow_loop import CommandLoop, Commands, loop_of_workflow
from stepfast.values.codec import UNTYPED, Codec

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F")
F_contra = TypeVar("F_contra", contravariant=True)

DEFAULT_TIMEOUT = 300.0
DEFAULT_POOL = "default"
STEP_FUNCTIONS: set[str] = set()
"""The names of the functions of all steps, for tests that replace a step with a mock."""


class Step(Generic[P, R]):
    """A step, as `@step` makes it. In workflow code its calls are recorded, retried, and not repeated once recorded.

    In workflow code a call returns a coroutine for the recorded result. Anywhere else a call is a call of `function`,
    the decorated function: an `async def` returns its coroutine, and a `def` runs and returns its result. In a workflow
    that is called outside of an engine, a call returns a coroutine that runs the function once, a `def` in a thread.
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
        limits: Sequence[Limit[Any]] = (),
        same: standing_inputs.Same | None = None,
    ) -> None:
        function = callables.definable(function, "step")
        self.function = function
        self.name = _name(callables.name_to_record(function, "step", name), "step")
        STEP_FUNCTIONS.add(getattr(function, "__name__", self.name))
        self.retry = _policy(retry, self.name) or Retry(max_attempts=1 if at_most_once else 3)
        self.timeout = _seconds(timeout, f"step {self.name!r}: timeout")
        self.heartbeat = None if heartbeat is None else _seconds(heartbeat, f"step {self.name!r}: heartbeat")
        self.pool = _name(pool, "pool")
        self.at_most_once = at_most_once
        self.is_async = inspect.iscoroutinefunction(function)
        self.arguments = Arguments(function, f"step {self.name!r}: argument")
        self.label = labels.check(label, self.arguments.signature, f"step {self.name!r}")
        self.limits = limits_of(limits, self.name)
        self.same = standing_inputs.check(same, self.arguments.signature, f"step {self.name!r}")
        callables.note_definition(function, "step", self.name)
        bare = callables.without_partials(function)
        self.__name__ = self.name
        self.__doc__ = bare.__doc__
        self.__module__ = bare.__module__
        # Libraries that describe functions, such as pydantic-ai for tools, read these two of any callable.
        self.__qualname__ = getattr(bare, "__qualname__", self.name)
        self.__annotations__ = getattr(bare, "__annotations__", {})
        self.__wrapped__ = function
        self.declared: Step[P, R] = self

    @cached_property
    def result(self) -> Codec:
        """The codec of the return annotation; without an annotation it takes plain JSON values only."""
        if self.declared is not self:
            return self.declared.result
        where = f"step {self.name!r}"
        returns = hints_of(self.function, where).get("return", UNTYPED)
        return Codec(callables.result_type(self.function, returns), f"{where}: result")

    def check(self) -> None:
        """Builds the codecs now. Raises DefinitionError for a type that has no JSON form."""
        self.arguments.check()
        _ = self.result.adapter

    @property
    def lease(self) -> float:
        """Seconds without a heartbeat after which the worker counts as dead, without the margin."""
        return self.timeout if self.heartbeat is None else min(self.heartbeat, self.timeout)

    # The return type has no Any, since mypy would then infer Any for gather() of two different steps.
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, R]:
        loop = loop_of_workflow()
        if loop is None:
            if direct.in_direct_run():
                return direct.run_step(self.function, self.is_async, args, kwargs)
            return cast("Coroutine[object, None, R]", self.function(*args, **kwargs))
        return StepCall(
            self, self.arguments.bind(args, kwargs), loop
        )  # a call with wrong arguments raises TypeError here

    def options(
        self,
        *,
        retry: Retry = AS_DECLARED,
        timeout: Seconds = AS_DECLARED,
        heartbeat: Seconds | None = AS_DECLARED,
        name: str = AS_DECLARED,
        **other: Never,
    ) -> Step[P, R]:
        """This step with other options, for one call: `await charge.options(timeout=60)(order)`.

        retry, timeout, heartbeat: as for @step. They are not part of the record, so changing them is safe while
        executions are running.
        name: the name in records. Another name makes another step.
        other: not allowed. A call cannot change the pool or `at_most_once`, by which a deployment was planned.

        The step itself is not changed. The pool stays the same: on AWS its function must have time for the timeout, or
        the execution fails with StepNotDeployed. Raises DefinitionError for a wrong value, and for an option that a
        call cannot change.
        """
        refuse_others(self.name, other)
        changed = copy.copy(self)
        if name is not AS_DECLARED:
            changed.name = changed.__name__ = _name(name, "step")
        if retry is not AS_DECLARED:
            changed.retry = _policy(retry, self.name, required=True) or self.retry
        if timeout is not AS_DECLARED:
            changed.timeout = _seconds(timeout, f"step {self.name!r}: timeout")
        if heartbeat is not AS_DECLARED:
            changed.heartbeat = None if heartbeat is None else _seconds(heartbeat, f"step {self.name!r}: heartbeat")
        return changed

    def __repr__(self) -> str:
        return f"<step {self.name!r}>"


class StepCall(CommandCall[R]):
    """The coroutine of one step call in a workflow."""

    __slots__ = ("_arguments", "step")

    def __init__(self, step: Step[..., R], arguments: dict[str, Any], loop: CommandLoop | None = None) -> None:
        self.step, self._arguments = step, arguments
        CommandCall.__init__(self, step.name, f"step {step.name!r}", loop)

    def _ask(self, commands: Commands) -> Awaitable[Any]:
        return commands.step(self.step, self._arguments)


class LimitedStepDecorator(Generic[F_contra]):
    """The decorator that `@step(limits=...)` returns: for functions with the arguments that the limits are taken by."""

    def __init__(self, make: Callable[[Callable[..., Any]], Step[..., Any]]) -> None:
        self._make = make

    @overload
    def __call__(
        self: LimitedStepDecorator[Callable[P, Any]], function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Step[P, R]: ...
    @overload
    def __call__(self: LimitedStepDecorator[Callable[P, Any]], function: Callable[P, R], /) -> Step[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        return self._make(function)


class StepDecorator(Protocol):
    """The decorator that `@step(...)` with options returns: it takes the function and returns the Step."""

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
    same: standing_inputs.Same | None = None,
) -> StepDecorator: ...
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
    same: standing_inputs.Same | None = None,
    limits: Sequence[Limit[F]],
) -> LimitedStepDecorator[F]: ...
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
    same: standing_inputs.Same | None = None,
    limits: Sequence[Limit[Any]] = (),
) -> Any:
    """Makes a `def` or `async def` function a step. `def` functions run in threads, several at once.

    function: the function; `@step` takes it directly, and `@step(...)` with options takes it in a second call.
    name: the name in records, 1 to 64 of A-Z a-z 0-9 . _ -; the name of the function by default. Renaming a step makes
    it another step.
    retry: the policy for exceptions; `Retry()` by default, and a single attempt for `at_most_once`.
    timeout: how long an attempt may take, in seconds or as a timedelta. After it the attempt fails with StepTimeout.
    The thread of a `def` step cannot be stopped: its late result is dropped. A process of a pool is ended.
    heartbeat: the longest time between two calls of `current_step().heartbeat()`, in seconds or as a timedelta. Set it
    on long steps, so that a dead worker is noticed after this time and not only after the whole timeout.
    pool: steps of one pool share a queue, and on AWS a Lambda with its memory and its concurrency. With `stepfast dev`
    the `def` steps of a pool may run in processes of their own.
    at_most_once: a crash or a timeout during an attempt fails the step, and no attempt follows. Exceptions are retried
    only if you pass a policy.
    label: names the item of a call in the dashboard: a template of the arguments, such as "{order.id}", or a function
    of the arguments, quick and without effects. The default is the first argument.
    limits: the limits that each attempt takes from before it begins, which all executions share.
    same: when a recorded call stands although the code now calls the step with other arguments. Without it such a call
    fails the execution with NonDeterministic. It takes the names of arguments that may differ, or a function of the
    recorded arguments and the new ones, both by name, which runs in workflow code. Further attempts keep the recorded
    arguments.

    Arguments and result are validated and stored as JSON by their annotations. Without an annotation only plain JSON
    values are accepted. Raises DefinitionError for a function that cannot be a step and for a wrong option.
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
            limits=limits,
            same=same,
        )

    if function is not None:
        return decorate(function)
    return LimitedStepDecorator(decorate) if limits else decorate
