"""@query and @update: functions inside a workflow that others call while it runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import cached_property, lru_cache
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from stepfast.errors import DefinitionError
from stepfast.language import direct
from stepfast.language.arguments import hints_of
from stepfast.language.options import name_of
from stepfast.language.workflow_loop import commands_for, in_workflow
from stepfast.values.codec import UNTYPED, Codec

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class _NamedFunction(Generic[P]):
    """A function of at most one argument, with a name by which others call it."""

    def __init__(self, function: Callable[P, Any], name: str | None, kind: str) -> None:
        own_name = getattr(function, "__name__", "") if name is None else name
        self.name, self.kind = name_of(own_name, kind), kind
        self.function = function
        self.__name__, self.__doc__ = self.name, function.__doc__
        self._parameter = _only_parameter(function, f"{kind} {self.name!r}")

    @cached_property
    def payload(self) -> Codec:
        """The codec of the argument; it takes null for a function without an argument."""
        where = f"{self.kind} {self.name!r}: payload"
        if self._parameter is None:
            return _codec(type(None), where)
        return _codec(self._hints.get(self._parameter, UNTYPED), where)

    @cached_property
    def result(self) -> Codec:
        returns = self._hints.get("return", UNTYPED)
        return _codec(type(None) if returns is None else returns, f"{self.kind} {self.name!r}: result")

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return hints_of(self.function, f"{self.kind} {self.name!r}")

    def called(self, function: Callable[..., Any], payload: str) -> Any:
        """What a function of the same argument returns for a payload as JSON text. Raises InvalidRequest for it."""
        value = self.payload.decode(payload)
        return function() if self._parameter is None else function(value)


class QueryFunction(_NamedFunction[P], Generic[P, R_co]):
    """A function with `@query`. It is called as before."""

    function: Callable[P, R_co]

    def __init__(self, function: Callable[P, R_co], name: str | None) -> None:
        super().__init__(function, name, "query")
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise DefinitionError(
                f"query {self.name!r} is answered from what the workflow has at hand: write it with `def`, or make it "
                "an @update, which may await steps"
            )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.function(*args, **kwargs)


class UpdateFunction(_NamedFunction[P], Generic[P, R_co]):
    """A function with `@update`. It is called as before.

    checks: the function of `@….check`, or None.
    """

    function: Callable[P, Coroutine[Any, Any, R_co]]

    def __init__(self, function: Callable[P, Coroutine[Any, Any, R_co]], name: str | None) -> None:
        super().__init__(function, name, "update")
        if not inspect.iscoroutinefunction(function):
            raise DefinitionError(f"update {self.name!r}: @update goes on an `async def` function")
        self.checks: Callable[..., Any] | None = None

    def check(self, function: Callable[P, object]) -> Callable[P, object]:
        """Makes a function the check of the update: it takes the same argument, and raises UpdateRefused to refuse it.

        It runs before the update is stored, and again before the update runs. It only looks: it must neither change
        anything nor ask for a step. `function` is a plain `def`. Raises DefinitionError for any other.
        """
        if inspect.iscoroutinefunction(function):
            raise DefinitionError(f"the check of update {self.name!r} only looks: write it with `def`")
        if (_only_parameter(function, f"the check of update {self.name!r}") is None) != (self._parameter is None):
            raise DefinitionError(f"the check of update {self.name!r} takes the same argument as the update")
        self.checks = function
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        return self.function(*args, **kwargs)


AskedFunction = QueryFunction[..., Any] | UpdateFunction[..., Any]


class QueryDecorator(Protocol):
    """The decorator that `@query(name=...)` returns."""

    def __call__(self, function: Callable[P, R], /) -> QueryFunction[P, R]: ...


class UpdateDecorator(Protocol):
    """The decorator that `@update(name=...)` returns."""

    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> UpdateFunction[P, R]: ...


@overload
def query(function: Callable[P, R], /) -> QueryFunction[P, R]: ...
@overload
def query(*, name: str) -> QueryDecorator: ...
def query(function: Any = None, /, *, name: str | None = None) -> Any:
    """Makes a function inside a workflow one that others can ask, as `execution.query("total")`.

    The function is a plain `def` of at most one argument. It sees the variables of the workflow as they are after all
    that is recorded. The answer is computed by a replay, so it is also given for an execution that has ended. It
    changes nothing: a call of a step, a sleep, a new task and anything else that the execution would record is refused.

    function: the function, where the decorator is used without parentheses.
    name: 1 to 64 of A-Z a-z 0-9 . _ -; the name of the function by default. A later function of the same name takes the
    place of an earlier one.

    Raises DefinitionError for a function that cannot be a query.
    """
    if function is None:
        return lambda named: _registered(QueryFunction(named, name))
    return _registered(QueryFunction(function, name))


@overload
def update(function: Callable[P, Coroutine[Any, Any, R]], /) -> UpdateFunction[P, R]: ...
@overload
def update(*, name: str) -> UpdateDecorator: ...
def update(function: Any = None, /, *, name: str | None = None) -> Any:
    """Makes an `async def` function inside a workflow one that others can call, as `execution.update("add", item)`.

    It takes at most one argument, and runs in the workflow as a task of its own: it may await steps, change variables
    and wake the workflow by an asyncio.Event. Its sender gets what it returns, or the exception that it raises, which
    does not fail the execution. Updates begin in the order of their arrival, each once, and may run at the same time.

    function: the function, where the decorator is used without parentheses.
    name: 1 to 64 of A-Z a-z 0-9 . _ -; the name of the function by default. A later function of the same name takes the
    place of an earlier one.

    An update that has not ended when the workflow returns is cancelled, and its sender gets an
    error: `await all_updates_done()` before. Raises DefinitionError for a function that cannot be an update.
    """
    if function is None:
        return lambda named: _registered(UpdateFunction(named, name))
    return _registered(UpdateFunction(function, name))


async def all_updates_done() -> None:
    """Waits until no update runs. Updates that have not begun are not waited for.

    Raises ForbiddenInWorkflow outside workflow code.
    """
    if in_workflow() is None and direct.in_direct_run():
        return
    await commands_for("all_updates_done()").updates_done()


def _registered(handler: Any) -> Any:
    if (commands := in_workflow()) is not None:
        commands.register(handler)
    return handler


def _only_parameter(function: Callable[..., Any], where: str) -> str | None:
    parameters = list(inspect.signature(function).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) > 1 or any(parameter.kind not in positional for parameter in parameters):
        raise DefinitionError(f"{where} takes at most one argument: gather its inputs in one model")
    return parameters[0].name if parameters else None


def _codec(type: Any, where: str) -> Codec:
    try:
        return _cached_codec(type, where)
    except TypeError:  # the type is not hashable
        return Codec(type, where)


@lru_cache(maxsize=512, typed=True)
def _cached_codec(type: Any, where: str) -> Codec:
    """Cached, because every replay needs the codec and pydantic takes long to build it."""
    return Codec(type, where)
