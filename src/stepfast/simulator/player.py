"""Plays AWS around functions: moto keeps the data, and the player calls the functions as time goes by."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from moto import mock_aws
from moto.sqs.models import Queue

from stepfast.simulator import dynamodb_costs, resources
from stepfast.simulator.gateway import Gateway, GatewayRequest, Response
from stepfast.simulator.invocation import Invocation
from stepfast.simulator.lambdas import SimulatedFunction
from stepfast.simulator.lane import StreamMapping
from stepfast.simulator.mapping import StreamReader
from stepfast.simulator.patching import Patches
from stepfast.simulator.queues import QueueMapping, QueuePoller
from stepfast.simulator.redrive import MoveTask, Redrives
from stepfast.simulator.sandbox import Build
from stepfast.simulator.schedules import SimulatedSchedules
from stepfast.simulator.simulated_loop import moment
from stepfast.simulator.sqs_rules import MailRules, queue_of
from stepfast.simulator.streams import Stream
from stepfast.simulator.timing import Time


class Player:
    """A region of AWS with functions of any kind; a context manager, one at a time in a process.

    time: how time goes by. keep_invocations: whether `invocations` lists every invocation that has ended.
    """

    _open: Player | None = None

    def __init__(
        self,
        time: Time,
        *,
        keep_invocations: bool = True,
    ) -> None:
        self.time, self.world = time, time.world
        self.functions: dict[str, SimulatedFunction] = {}
        self.invocations: list[Invocation] = []
        """Those that have ended, in that order."""
        self.after_invocation: list[Callable[[Invocation], None]] = []
        if keep_invocations:
            self.after_invocation.append(self.invocations.append)
        self._stack = ExitStack()
        self._pollers: dict[str, QueuePoller] = {}
        self._gateway: Gateway | None = None
        self.mail = MailRules(self._mail_noticed)
        self.redrives = Redrives(self.world, self.mail)
        self.schedules = SimulatedSchedules(self.world, self.functions)

    def __enter__(self) -> Self:
        if Player._open is not None:
            raise RuntimeError("a simulated cloud is open in this process: one at a time")
        with ExitStack() as stack:
            held = resources.set_environment()
            stack.callback(resources.restore_environment, held)
            stack.callback(random.setstate, random.getstate())
            random.seed(self.world.seed)  # botocore's own jitter
            mock = mock_aws()
            mock.start()
            stack.callback(mock.stop)
            self.patches = Patches()
            stack.callback(self.patches.undo)
            resources.seed_moto(self.patches, self.world.seed)
            dynamodb_costs.patch(self.patches)
            self.mail.patch(self.patches)
            self.redrives.patch(self.patches)
            self.schedules.patch(self.patches)
            self.time.begin(self.patches)
            self._stack = stack.pop_all()
        Player._open = self
        self._stack.callback(setattr, Player, "_open", None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ended = False
        try:
            ended = self.time.end(self._close_functions)
        finally:
            if not ended:
                # A step that still runs must not find the real AWS, with the user's own credentials, in moto's place.
                self._stack.pop_all()
            self._stack.close()

    def _close_functions(self) -> None:
        for function in self.functions.values():
            function.close()

    # -- what there is -------------------------------------------------------------------------------------------

    def function(
        self,
        name: str,
        build: Build,
        *,
        timeout: float = 60.0,
        memory: int = 256,
        reserved: int | None = None,
    ) -> SimulatedFunction:
        """Adds a function; `build` makes the handler of each of its sandboxes, at their first invocation."""
        made = SimulatedFunction(
            self.time, name, build, timeout=timeout, memory=memory, reserved=reserved, noticed=self._invocation_ended
        )
        self.functions[name] = made
        return made

    def stream(self, table: str) -> Stream:
        """The stream of a table, read from here on; to be asked for before anything is written."""
        delete = resources.client("dynamodb").delete_item
        made = Stream(self.world, table, lambda name, keys: delete(TableName=name, Key=keys))
        made.patch(self.patches)
        return made

    def map_stream(self, stream: Stream, function: SimulatedFunction, mapping: StreamMapping) -> None:
        StreamReader(self.world, stream, function, mapping)

    def map_queue(self, queue: str, function: SimulatedFunction, mapping: QueueMapping) -> None:
        """queue: name, URL or ARN."""
        source = queue_of(queue)
        poller = QueuePoller(self.world, self.mail, source, function, mapping)
        self._pollers[source.queue_arn] = poller
        self.world.agenda.put(self.world.clock.micros, poller.poll)

    def every(self, seconds: float, function: SimulatedFunction, event: Any) -> None:
        """A rule that invokes a function each period."""
        self.time.every(seconds, lambda: function.invoke_later(event))

    def gateway(
        self, api: SimulatedFunction, authorizer: SimulatedFunction | None = None, open_paths: Collection[str] = ()
    ) -> None:
        """The HTTP API; of open_paths the authorizer is not asked."""
        self._gateway = Gateway(self.world, api, authorizer, open_paths)

    def _invocation_ended(self, invocation: Invocation) -> None:
        for act in self.after_invocation:
            act(invocation)

    def _mail_noticed(self, queue: Queue, at: float) -> None:
        self.world.happened()
        poller = self._pollers.get(queue.queue_arn)
        if poller is not None:
            poller.notice(at)

    # -- time ----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The time, UTC."""
        return moment(self.world.clock.now)

    def advance(self, by: timedelta) -> None:
        """Lets this much time pass, with all that is due in it."""
        self.time.drive(lambda: False, self.world.clock.micros + by // timedelta(microseconds=1))

    def at(self, when: timedelta | datetime, act: Callable[[], object]) -> None:
        """Has something done at a time, or after a time from now."""
        seconds = (when - self.now if isinstance(when, datetime) else when).total_seconds()
        self.world.later(act, max(0.0, seconds))

    # -- from outside ----------------------------------------------------------------------------------------------

    def invoke(self, name: str, event: Any) -> Invocation:
        """Invokes a function and waits for its end; only what is due meanwhile happens."""

        def act() -> Invocation:
            ended: list[Invocation] = []
            self.functions[name].invoke(event, ended.append)
            self.time.drive(lambda: bool(ended))
            return ended[0]

        return self.time.outside(act)

    def request_all(self, *requests: GatewayRequest) -> list[Response]:
        """Sends requests at one moment, and waits for all answers."""
        if self._gateway is None:
            raise RuntimeError("this cloud has no API: add one with gateway(…)")
        gateway = self._gateway

        def act() -> list[Response]:
            for request in requests:
                gateway.begin(request)
            self.time.drive(lambda: all(request.response is not None for request in requests))
            return [request.response for request in requests if request.response is not None]

        return self.time.outside(act)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        """One request to the API; body: JSON values, or a text as it is."""
        return self.request_all(GatewayRequest(method, path, body, key, headers or {}, query or {}))[0]

    def redrive(self, queue: str, rate: int | None = None) -> MoveTask:
        """Starts a redrive of a dead-letter queue, as the SQS console does; `rate` messages a second."""
        return self.redrives.start(queue, rate=rate)
