"""@workflow: an async function of at most one argument, with a name that must not change."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from stepfast.errors import DefinitionError
from stepfast.language import callables, direct
from stepfast.language.arguments import hints_of
from stepfast.language.limits import LabelKey, Rate
from stepfast.language.options import Seconds
from stepfast.language.options import name_of as _name
from stepfast.language.starts import OnConflict, StartOptions, start_options
from stepfast.language.workflow_loop import in_workflow
from stepfast.values.codec import UNTYPED, Codec

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
I = TypeVar("I")  # noqa: E741
_OF_FUNCTION: Any = type("OfFunction", (), {"__repr__": lambda self: "<the name of the function>"})()
"""Stands for a name that is left out."""
K = TypeVar("K", bound=Callable[..., str])
N = TypeVar("N", bound=Callable[..., int])
K_co = TypeVar("K_co", covariant=True)
"""The type of a function that takes the key of a start from the workflow's input."""


class Workflow(Generic[P, R_co]):
    """A workflow, as `@workflow` makes it: an async function with a `name`.

    Another workflow may await a call of it, as a part of itself. Outside of an engine a call runs the code without
    durability and logs a warning, the first time in a process. `function` is the decorated function. `starts` is what
    is said of its starts.
    """

    __stepfast_definition__ = "workflow"

    def __init__(
        self, function: Callable[P, Coroutine[Any, Any, R_co]], name: str, starts: StartOptions | None = None
    ) -> None:
        self.name, self.starts = _name(name, "workflow"), starts
        function = callables.definable(function, "workflow")
        if not callables.is_awaited(function):
            raise DefinitionError(f"workflow {self.name!r}: @workflow goes on an `async def` function")
        callables.note_definition(function, "workflow", self.name)
        self._hinted = function
        self.function: Callable[P, Coroutine[Any, Any, R_co]] = callables.as_coroutine_function(function)
        parameters = list(inspect.signature(function).parameters.values())
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if len(parameters) > 1 or any(parameter.kind not in positional for parameter in parameters):
            raise DefinitionError(f"workflow {self.name!r} takes at most one argument: gather its inputs in one model")
        self._parameter = parameters[0] if parameters else None
        self.__name__ = self.name
        bare = callables.without_partials(function)
        self.__doc__ = bare.__doc__
        self.__module__ = bare.__module__
        self.__wrapped__ = function

    @cached_property
    def input(self) -> Codec:
        """The codec of the argument; it takes null for a workflow without an argument."""
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
        """Builds the codecs now. Raises DefinitionError for a type that has no JSON form."""
        _ = self.input.adapter, self.result.adapter

    def coroutine(self, input: str) -> Coroutine[Any, Any, R_co]:
        """The coroutine of the workflow for an input as JSON text, not started. Raises InvalidRequest."""
        return self.coroutine_of(self.input.decode(input))

    def called_with(self, function: Callable[..., Any], input: str) -> Any:
        """What a function of the workflow's argument returns for an input as JSON text. Raises what it raises."""
        return function() if self._parameter is None else function(self.input.decode(input))

    def coroutine_of(self, value: Any) -> Coroutine[Any, Any, R_co]:
        """The coroutine of the workflow for an argument, not started; a workflow without an argument ignores it."""
        function = cast("Callable[..., Coroutine[Any, Any, R_co]]", self.function)
        return function() if self._parameter is None else function(value)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        coroutine = self.function(*args, **kwargs)
        if in_workflow() is not None or direct.in_direct_run():
            return coroutine
        return direct.run_workflow(self.name, coroutine)

    def __repr__(self) -> str:
        return f"<workflow {self.name!r}>"


class WorkflowDecorator(Generic[K_co]):
    """The decorator that `@workflow(singleton=...)` returns, for functions of the input that the keys take."""

    def __init__(self, name: Any, starts: StartOptions | None) -> None:
        self._name, self._starts = name, starts

    def __call__(
        self: WorkflowDecorator[Callable[[I], Any]], function: Callable[[I], Coroutine[Any, Any, R]], /
    ) -> Workflow[[I], R]:
        function = callables.definable(function, "workflow")
        name = callables.name_to_record(function, "workflow", None) if self._name is _OF_FUNCTION else self._name
        return Workflow(function, name, self._starts)


@overload
def workflow(name: str, /) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Workflow[P, R]]: ...
@overload
def workflow(name: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    name: str = ...,
    /,
    *,
    singleton: LabelKey | None = None,
    on_conflict: OnConflict | None = None,
    throttle: Rate | None = None,
    throttle_key: LabelKey | None = None,
    priority: int = 0,
    debounce: Seconds | None = None,
    debounce_key: LabelKey | None = None,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Workflow[P, R]]: ...
@overload
def workflow(
    name: str = ...,
    /,
    *,
    singleton: K,
    on_conflict: OnConflict | None = None,
    throttle: Rate | None = None,
    throttle_key: Callable[..., str] | LabelKey | None = None,
    priority: Callable[..., int] | int = 0,
) -> WorkflowDecorator[K]: ...
@overload
def workflow(
    name: str = ...,
    /,
    *,
    singleton: LabelKey,
    on_conflict: OnConflict | None = None,
    throttle: Rate,
    throttle_key: K,
    priority: Callable[..., int] | int = 0,
) -> WorkflowDecorator[K]: ...
@overload
def workflow(
    name: str = ...,
    /,
    *,
    singleton: LabelKey,
    on_conflict: OnConflict | None = None,
    throttle: Rate | None = None,
    throttle_key: LabelKey | None = None,
    priority: N,
) -> WorkflowDecorator[N]: ...
@overload
def workflow(name: str = ..., /, *, throttle: Rate, throttle_key: K) -> WorkflowDecorator[K]: ...
@overload
def workflow(name: str = ..., /, *, debounce: Seconds, debounce_key: K) -> WorkflowDecorator[K]: ...
def workflow(
    name: Any = _OF_FUNCTION,
    /,
    *,
    singleton: Any = None,
    on_conflict: Any = None,
    throttle: Rate | None = None,
    throttle_key: Any = None,
    priority: Any = 0,
    debounce: Seconds | None = None,
    debounce_key: Any = None,
) -> Any:
    """Makes an `async def` function of at most one argument a workflow.

    name: 1 to 64 of A-Z a-z 0-9 . _ -; the name of the function by default. Executions refer to the workflow by it. Do
    not rename a workflow while executions are running: they would wait for the old name.
    singleton: at most one execution runs for each key: a function of the workflow's input that returns a text, or
    `label("customer")` for a label of the execution.
    on_conflict: what a start does while another execution of its key runs. "wait", the default, begins after those that
    were started before. "skip" starts nothing, and the answer names the execution that runs. "replace" cancels it.
    throttle: executions begin at most at this rate; the others wait for their moment.
    throttle_key: what the rate is for, as `singleton`. Without it the rate is for the whole workflow.
    priority: 0 to 999, or a function of the input that returns it. Of those that wait for one key, the highest goes
    first.
    debounce: an execution begins this long after its last start, in seconds or as a timedelta. Each start until then
    replaces its input.
    debounce_key: which starts become one execution, as `singleton`. Without it all of the workflow do.

    Decorating the same function twice with one name is harmless. Raises DefinitionError for a function that cannot be
    a workflow, for a wrong name or option, and for a function that is a step or another workflow already.
    """
    if not isinstance(name, str) and (callable(name) or hasattr(name, "__func__")):
        function = callables.definable(name, "workflow")
        return Workflow(function, callables.name_to_record(function, "workflow", None))
    named = "workflow" if name is _OF_FUNCTION else f"workflow {name!r}"
    starts = start_options(named, singleton, on_conflict, throttle, throttle_key, priority, debounce, debounce_key)
    return WorkflowDecorator[Any](name, starts)
