"""The coroutine of one call in workflow code that asks for a command: of a step, or of a child."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, TypeVar, cast

from stepfast.language.workflow_loop import CommandLoop, running_loop

R = TypeVar("R")


class CommandCall(Coroutine[object, None, R]):
    """The coroutine of one call; the command is issued when it is first awaited.

    `__name__` is the name under which the command is recorded.
    """

    def __init__(self, name: str, called: str, inner: Coroutine[Any, Any, R]) -> None:
        self.__name__ = name
        self._inner = inner
        self._loop = cast(CommandLoop, running_loop())
        self._started = True  # while it is not counted: a call that is refused has nothing to begin
        try:
            self._number = self._loop.unawaited.called(called)
        except BaseException:
            inner.close()
            raise
        self._started = False

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
