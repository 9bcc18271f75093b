"""What a function needs of a sandbox, in simulated time (strand_sandbox) and in real time (thread_sandbox)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from stepfast.simulator.invocation import Handler, Invocation, SandboxEnded
from stepfast.simulator.world import World

T = TypeVar("T")


class Sandbox(Protocol):
    """Runs one invocation at a time. gone: why it has been ended, None while it lives."""

    @property
    def name(self) -> str: ...
    @property
    def world(self) -> World: ...
    @property
    def gone(self) -> SandboxEnded | None: ...
    def call(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        """Runs a coroutine to its result, on the event loop of the sandbox. For the handler."""
        ...

    def begin(self, invocation: Invocation) -> None:
        """Begins an invocation. Once it has ended, `invocation.done` is called with it."""
        ...

    def kill(self, why: str) -> None:
        """Cuts off the running invocation."""
        ...

    def close(self) -> None:
        """Ends the sandbox. A running invocation is cut off, and its `done` is not called."""
        ...


Build = Callable[[Sandbox], Handler]
"""Makes the handler of a sandbox, in the sandbox, at its first invocation."""
