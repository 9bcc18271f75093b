"""The type of the decorator that `@external_step(...)` returns."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from stepfast.language.external_steps import ExternalStep

P = ParamSpec("P")
R = TypeVar("R")


class ExternalStepDecorator(Protocol):
    """Takes the function that describes the work, and returns the ExternalStep."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> ExternalStep[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> ExternalStep[P, R]: ...
