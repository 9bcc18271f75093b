"""The coroutine of one call in workflow code that asks for a command: of a step, or of a child."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar, cast

from stepfast.language.workflow_loop import CommandLoop, Commands, commands_for, running_loop

R = TypeVar("R")


class CommandCall(Coroutine[object, None, R]):
    """The coroutine of one call; the command is issued when it is first awaited.

    `__name__` is the name under which the command is recorded. An `await` gets the command's future itself. A task, and
    whoever else drives the call by `send`, needs a coroutine, which is made then.
    """

    __slots__ = ("__name__", "__weakref__", "_called", "_inner", "_loop", "_number", "_started")

    def __init__(self, name: str, called: str, loop: CommandLoop | None = None) -> None:
        self.__name__ = name
        self._called = called
        self._inner: Coroutine[Any, Any, R] | None = None
        if loop is None:
            loop = cast(CommandLoop, running_loop())  # nothing else makes a call
        self._loop = loop
        self._started = True  # while it is not counted: a call that is refused has nothing to begin
        self._number = loop.unawaited.called(called)
        self._started = False

    def _ask(self, commands: Commands) -> Awaitable[Any]:
        """Issues the command, or begins those that it consists of; what is awaited for the outcome."""
        raise NotImplementedError

    def _issue(self) -> Awaitable[Any]:
        loop = self._loop
        return self._ask(loop.commands if running_loop() is loop else commands_for(self._called))

    async def _outcome(self) -> R:
        return cast(R, await self._issue())

    def _coroutine(self) -> Coroutine[Any, Any, R]:
        if not self._started:
            self._begin()
            self._inner = self._outcome()
        elif self._inner is None:
            raise RuntimeError("cannot reuse already awaited coroutine")
        return self._inner

    def _begin(self) -> None:
        self._started = True
        self._loop.unawaited.begun(self._number)

    def send(self, value: Any, /) -> Any:
        return self._coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine().throw(*error)

    def close(self) -> None:
        if not self._started:
            self._begin()
        elif self._inner is not None:
            self._inner.close()

    def __await__(self) -> Generator[Any, Any, R]:
        if self._started:
            return self._coroutine().__await__()
        self._started = True
        self._loop.unawaited.begun(self._number)
        outcome: Generator[Any, Any, R] = self._issue().__await__()
        return outcome

    def __del__(self) -> None:
        if not self._started:
            self._loop.unawaited.dropped(self._number, self._loop)
