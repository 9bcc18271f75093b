"""A whole deployment of stepfast on moto, in real time: what `stepfast dev --cloud moto` serves."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from moto.sqs.models import Queue

from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.deployment.schedules import ScheduledStart
from stepfast.functions.clients import Clients
from stepfast.functions.host import Host
from stepfast.language.registry import Registry
from stepfast.simulator import resources
from stepfast.simulator.deployment import Deployment, Equip, Equipment
from stepfast.simulator.gateway import GatewayRequest, Response
from stepfast.simulator.invocation import MAX_PAYLOAD
from stepfast.simulator.lambdas import REGION
from stepfast.simulator.player import Player
from stepfast.simulator.provision import DEAD_LETTERS, TABLE
from stepfast.simulator.redrive import MoveTask
from stepfast.simulator.sqs_rules import messages_in, queues
from stepfast.simulator.wall_time import WallTime

SERVICES = ("dynamodb", "sqs", "s3", "scheduler", "kms")


def shared_clients(registry: Registry, starts: Sequence[ScheduledStart] = ()) -> Equip:
    """Functions in real time share their AWS clients, which are slow to make and safe to use from any thread."""
    clients = Clients(REGION)
    # The clients are made here, in one thread: to make a client with botocore's session is not thread-safe
    # (https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html).
    for service in SERVICES:
        getattr(clients, service)
    return lambda sandbox, plan: Equipment(Host(registry=registry, call=sandbox.call, starts=starts), clients)


class ServedCloud:
    """A played AWS with the stack deployed on it. Use it as a context manager; one at a time in a process.

    key: an API key with every scope. The methods are thread-safe.
    """

    key: str

    def __init__(self, registry: Registry, project: Project | None = None) -> None:
        self._plan = Plan.of(registry, project)
        self._registry = registry
        self._time = WallTime()
        self._turn = self._time.turn
        self._player = Player(self._time, keep_invocations=False)  # There would be ever more of them.

    def __enter__(self) -> Self:
        self._player.__enter__()
        try:
            with self._turn:
                Deployment(self._player, self._plan, shared_clients(self._registry, self._plan.starts))
            keys = ApiKeys(resources.client("dynamodb"), TABLE)
            _, self.key = keys.create("stepfast dev", SCOPES, time.time())
        except BaseException:
            self._player.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._player.__exit__(kind, error, traceback)

    def request(self, event: dict[str, Any]) -> Response:
        """The answer of the HTTP API to an event in the form of API Gateway. The authorizer sees it first."""
        if len(json.dumps(event)) > MAX_PAYLOAD:
            return Response(413, {"content-type": "application/json"}, '{"message":"Request Entity Too Large"}')
        asked = event["requestContext"]["http"]
        responses = self._player.request_all(GatewayRequest(asked["method"], asked["path"], event=event))
        if responses:
            return responses[0]
        return Response(503, {"content-type": "application/json"}, '{"message":"Service Unavailable"}')

    def queues(self) -> dict[str, dict[str, int]]:
        """The numbers of messages of each queue, by name: `visible`, `in_flight` (with a consumer) and `delayed`."""
        with self._turn:
            return {name: _counts(queue, time.time() * 1000) for name, queue in sorted(queues().items())}

    def redrive(self) -> MoveTask:
        """Starts a redrive of the dead letters, as the SQS console does. Raises moto's error while another runs."""
        with self._turn:
            return self._player.redrive(DEAD_LETTERS)

    @property
    def redrives(self) -> list[MoveTask]:
        """The redrives that were started, newest last."""
        with self._turn:
            return list(self._player.redrives.tasks)


def _counts(queue: Queue, now: float) -> dict[str, int]:
    counts = {"visible": 0, "in_flight": 0, "delayed": 0}
    for message in messages_in(queue):
        waits = "delayed" if message.delayed_until > now else "in_flight"
        counts[waits if max(message.delayed_until, message.visible_at) > now else "visible"] += 1
    return counts
