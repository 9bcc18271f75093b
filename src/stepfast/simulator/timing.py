"""How time goes by around a played account: simulated (simulated_time) or as on the wall (wall_time)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from stepfast.simulator.patching import Patches
from stepfast.simulator.sandbox import Build, Sandbox
from stepfast.simulator.world import World

T = TypeVar("T")


class Time(Protocol):
    """Takes what is due from the agenda of its world, and runs functions in sandboxes of its kind."""

    world: World

    def begin(self, patches: Patches) -> None:
        """Begins. Until `end`, the patches stay."""
        ...

    def end(self, close_functions: Callable[[], object]) -> bool:
        """Ends, and closes the functions. False if the code of a function still runs."""
        ...

    def drive(self, goal: Callable[[], bool], until: int | None = None) -> bool:
        """Lets time pass until the goal is reached, at most to the microsecond `until`; returns whether it was."""
        ...

    def outside(self, act: Callable[[], T]) -> T:
        """Runs something that is outside the account: a caller of the API, an operator. From any thread."""
        ...

    def sandbox(self, name: str, arn: str, memory: int, build: Build, skew: float) -> Sandbox:
        """Makes a sandbox of a function. memory in MB; skew: seconds by which its clock is ahead."""
        ...

    def every(self, seconds: float, act: Callable[[], object]) -> None:
        """Calls `act` each period."""
        ...
