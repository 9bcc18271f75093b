"""The functions that @step and @workflow accept.

A function that cannot work is refused when it is decorated, and the error says what to do instead.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
import typing
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import CodeType
from typing import Any

from stepfast.errors import DefinitionError

Function = Callable[..., Any]
DECORATED_BY = "__stepfast_definition__"
"""The class attribute that marks Step and Workflow; this module cannot import them, since they import it."""
_RECEIVER_NAMES = ("self", "cls", "mcs", "klass", "_self", "_cls")
_AWAITABLE_TYPES = (Awaitable, Coroutine, types.CoroutineType)

_definitions: weakref.WeakKeyDictionary[Function, tuple[str, str]] = weakref.WeakKeyDictionary()
"""Function -> its kind, "step" or "workflow", and its name."""


def name_to_record(function: object, kind: str, name: str | None) -> str:
    """The name for records: `name`, or else the function's own name. Raises DefinitionError where there is neither."""
    own = getattr(function, "__name__", None)
    if name is not None:
        return name
    if isinstance(own, str) and own != "<lambda>":
        return own
    lacking = f"{own!r} is no name" if own else f"an object of {type(function).__qualname__} has none of its own"
    advice = "@step(name=…)" if kind == "step" else "@workflow(…)"
    raise DefinitionError(f"a {kind} name is needed, and {lacking}: give it one with {advice}")


def definable(function: object, kind: str) -> Function:
    """The function to call. Raises DefinitionError for an object that cannot be a step or workflow."""
    if isinstance(function, str):
        raise DefinitionError(f"@{kind} goes on a function, not on {function!r}: a name is given as name={function!r}")
    if isinstance(function, staticmethod):
        function = function.__func__
    _refuse_redecoration(function, kind)
    if isinstance(function, classmethod | functools.partialmethod | functools.singledispatchmethod):
        raise DefinitionError(f"{_qualified_name(function)} {_method_refusal(kind)}")
    if isinstance(function, type):
        raise DefinitionError(
            f"@{kind} goes on a function, not on the class {function.__name__}: "
            f"decorate a module-level function that makes a {function.__name__} and returns it"
        )
    if not callable(function):
        raise DefinitionError(f"@{kind} goes on a function, not on {function!r}")
    bare = function.func if isinstance(function, functools.partial) else function
    _refuse_redecoration(bare, kind)
    if isinstance(bare, types.BuiltinFunctionType | types.MethodDescriptorType | types.WrapperDescriptorType):
        raise DefinitionError(
            f"{_qualified_name(bare)} is built in and says nothing of its types: {_wrap_advice(kind)}"
        )
    if not hasattr(bare, "__code__") and not hasattr(bare, "__wrapped__"):
        raise DefinitionError(
            f"{_qualified_name(bare)} is an object that can be called, not a function: {_wrap_advice(kind)}"
        )
    _refuse_methods(bare, kind)
    _refuse_generators(function, kind)
    return function


def note_definition(function: Function, kind: str, name: str) -> None:
    """Notes the kind and name of a decorated function. Repeating a call with the same arguments changes nothing.

    Raises DefinitionError where the function was decorated before with another kind or name.
    """
    try:
        before = _definitions.setdefault(function, (kind, name))
    except TypeError:
        return  # each access of a bound method makes a new object, which no table by identity can hold
    if before != (kind, name):
        raise DefinitionError(
            f"{_qualified_name(function)} is the {before[0]} {before[1]!r} already, and cannot be the {kind} {name!r} "
            "as well: write a second function that calls the first"
        )


def workflows_by_code() -> dict[CodeType, str]:
    """The names of all workflows that were defined, by the code of their functions."""
    codes: dict[CodeType, str] = {}
    for function, (kind, name) in list(_definitions.items()):
        code = getattr(inspect.unwrap(function), "__code__", None)
        if kind == "workflow" and code is not None:
            codes[code] = name
    return codes


def is_awaited(function: Function) -> bool:
    """Whether a call returns an awaitable: an `async def`, a wrapper of an `async def`, or annotated so."""
    return _is_annotated_awaitable(function) or any(inspect.iscoroutinefunction(layer) for layer in _layers(function))


def as_coroutine_function(function: Function) -> Function:
    """The function itself if it is `async def`; else an `async def` that awaits what the function returns.

    A decorator that is written for `def` functions turns an `async def` into a `def` that returns a coroutine.
    """
    if inspect.iscoroutinefunction(function):
        return function

    @functools.wraps(function)
    async def awaiting(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        return await value if inspect.isawaitable(value) else value

    return awaiting


def without_partials(function: Function) -> Function:
    """The function inside any number of partials; a partial has no annotations of its own."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def result_type(function: Function, returns: Any) -> Any:
    """The type of the result: T for a `def` that returns Awaitable[T] or Coroutine[…, …, T], else `returns`."""
    if not inspect.iscoroutinefunction(function) and typing.get_origin(returns) in _AWAITABLE_TYPES:
        return typing.get_args(returns)[-1]
    return returns


def _is_annotated_awaitable(function: Function) -> bool:
    returns = getattr(without_partials(function), "__annotations__", {}).get("return")
    if isinstance(returns, str):
        return returns.partition("[")[0].rpartition(".")[2] in ("Awaitable", "Coroutine")
    return typing.get_origin(returns) in _AWAITABLE_TYPES


def _layers(function: object) -> Iterator[Any]:
    """The function, and then each function that it wraps, by functools.partial or by `__wrapped__`."""
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        yield function
        inner = function.func if isinstance(function, functools.partial) else None
        function = inner if inner is not None else getattr(function, "__wrapped__", None)


def _refuse_redecoration(function: object, kind: str) -> None:
    for layer in _layers(function):
        kind_before = vars(type(layer)).get(DECORATED_BY)
        if kind_before is not None:
            again = f"@{kind}(…)(that)" if layer is function else f"@{kind} over a decorator over it"
            raise DefinitionError(
                f"{kind_before} {layer.name!r} is decorated twice: {again} would record it within itself; "
                f"decorate the plain function once"
            )


def _refuse_methods(function: Function, kind: str) -> None:
    if inspect.ismethod(function):
        return  # a bound method: its object is part of the program and not an argument of the call
    names = list(inspect.signature(function).parameters) if _has_signature(function) else []
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    if names and names[0] in _RECEIVER_NAMES and owner and not owner.endswith("<locals>"):
        raise DefinitionError(f"{_qualified_name(function)} {_method_refusal(kind)}")


def _refuse_generators(function: Function, kind: str) -> None:
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        advice = (
            "return a list, or split it into steps" if kind == "step" else "a workflow is an `async def` that returns"
        )
        raise DefinitionError(f"{_qualified_name(function)} is a generator: {advice}")
    code = getattr(function, "__code__", None)
    # contextlib.contextmanager returns a function of its own whose code is in contextlib.py (CPython 3.11 to 3.13).
    if code is not None and code.co_filename == contextlib.__file__:
        raise DefinitionError(f"{_qualified_name(function)} makes a context manager: {_wrap_advice(kind)}")
    # The type of what functools.lru_cache returns is private, and has had this name since CPython 3.5.
    if isinstance(function, functools._lru_cache_wrapper) and is_awaited(function):
        raise DefinitionError(
            f"{_qualified_name(function)} is cached, and a coroutine can be awaited only once: "
            "leave the cache out, the engine records each result"
        )
    if not _has_signature(function):
        raise DefinitionError(f"{_qualified_name(function)} does not say what it takes: {_wrap_advice(kind)}")


def _has_signature(function: Function) -> bool:
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return True


def _qualified_name(function: object) -> str:
    bare = without_partials(function) if isinstance(function, functools.partial) else function
    inner = getattr(bare, "__func__", getattr(bare, "func", bare))
    name = getattr(inner, "__qualname__", None) or f"an object of {type(inner).__name__}"
    return f"{getattr(inner, '__module__', None) or '?'}.{name}"


def _method_refusal(kind: str) -> str:
    return (
        "is a method: its object or class cannot be recorded as an argument. Make it a function outside the class, "
        f"or a @staticmethod below @{kind}, and hand it what it needs"
    )


def _wrap_advice(kind: str) -> str:
    return f"write a function with annotations that calls it, and put @{kind} on that"
