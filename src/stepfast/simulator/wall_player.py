"""The player in real time: functions in threads, and moto asked by one of them at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from moto.core.botocore_stubber import BotocoreStubber

from stepfast.simulator.gateway import Gateway, GatewayRequest
from stepfast.simulator.lambdas import SimulatedFunction
from stepfast.simulator.player import Player
from stepfast.simulator.rules import Rules
from stepfast.simulator.sandbox import Handler, Invocation, Sandbox
from stepfast.simulator.wall_sandbox import RealFunction, current
from stepfast.simulator.wall_world import RealWorld

T = TypeVar("T")
CLOUD_STOP_SECONDS = 1.0
"""Seconds that functions under way have to end in when the cloud does."""


@dataclass(slots=True)
class WebRequest(GatewayRequest):
    """A request that came over the network, as the event that API Gateway would make of it."""

    event: dict[str, Any] = field(default_factory=dict)


class WebGateway(Gateway):
    """Takes requests as they came."""

    def _event(self, request: GatewayRequest) -> dict[str, Any]:
        assert isinstance(request, WebRequest)
        return request.event


class RealPlayer(Player):
    """Goes on by itself while it is open; whoever adds to it or redrives holds `world.turn`.

    While it is open, every call that the process makes to AWS reaches moto, also those of users' steps.
    """

    world: RealWorld

    def __init__(self, rules: Rules | None = None) -> None:
        super().__init__(world=RealWorld(rules or Rules()))

    def __enter__(self) -> Self:
        super().__enter__()
        random.seed()  # simulated time has seeded it: steps of users may draw, too
        self._take_turns()
        self.world.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.world.end()
        self._close_functions()
        end = time.monotonic() + CLOUD_STOP_SECONDS
        for thread in self.world.threads:
            thread.join(max(0.0, end - time.monotonic()))
        if any(thread.is_alive() for thread in self.world.threads):
            # A step that still runs must not find the real AWS, with the user's own credentials, in moto's place.
            self._stack.pop_all()
        super().__exit__(kind, error, traceback)

    def function(
        self,
        name: str,
        build: Callable[[Sandbox], Handler],
        *,
        timeout: float = 60.0,
        memory: int = 256,
        reserved: int | None = None,
    ) -> SimulatedFunction:
        made = RealFunction(self.world, name, build, timeout=timeout, memory=memory, reserved=reserved)
        self.functions[name] = made
        return made

    def gateway(
        self, api: SimulatedFunction, authorizer: SimulatedFunction | None = None, open_paths: Collection[str] = ()
    ) -> None:
        self._gateway = WebGateway(self.world, api, authorizer, open_paths)

    def every(self, seconds: float, function: SimulatedFunction, event: Any) -> None:
        """Also in quiet times, unlike in simulated time, where they pass too quickly to look at each period."""

        def act() -> None:
            function.invoke_later(event)
            self.world.later(act, seconds, idle=True)

        self.world.later(act, seconds, idle=True)

    def _invocation_ended(self, invocation: Invocation) -> None:
        """Kept nowhere: there would be ever more of them."""

    def _outside(self, act: Callable[[], T]) -> T:
        """Requests and invocations, from any thread; while they wait for their answer, others have the turn."""
        with self.world.turn:
            return act()

    def _take_turns(self) -> None:
        answer, world = BotocoreStubber.__call__, self.world

        def in_turn(self: BotocoreStubber, event_name: str, request: Any, **rest: Any) -> Any:
            sandbox = current()
            with world.turn:
                if sandbox is not None:
                    sandbox.check()
                return answer(self, event_name, request, **rest)

        self.patches.put(BotocoreStubber, "__call__", in_turn)
