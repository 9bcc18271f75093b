"""MotoCloud: the whole AWS shape of stepfast on moto, in simulated time, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.simulator import resources
from stepfast.simulator.gateway import GatewayRequest, Response
from stepfast.simulator.invocation import Invocation
from stepfast.simulator.player import Player
from stepfast.simulator.provision import DEAD_LETTERS, PARK, TIMER, UNDELIVERED
from stepfast.simulator.redrive import MoveTask
from stepfast.simulator.rules import Rules
from stepfast.simulator.simulated_time import START, SimulatedTime
from stepfast.simulator.sqs_rules import messages_in, queue_of
from stepfast.simulator.trouble import Trouble
from stepfast.testing.cloud.cloud_stage import CloudStage
from stepfast.testing.cloud.registries import registry_of
from stepfast.testing.cloud.sandboxed import PlayedPoints
from stepfast.testing.kit import Kit
from stepfast.testing.runs import Run

CLOUD_LIMIT = 5_000
POINTS_WITHOUT_LIMIT = 10**9
"""Of a cloud the invocations are limited, not the points."""


class MotoCloud(Kit[CloudStage], Trouble):
    """Runs workflows on the real functions, on moto. Use it as a context manager in a plain `def` test.

    workflows: the workflows under test, or one Registry.
    project: the settings of `[tool.stepfast]`; by default those without any setting.
    start, seed, check_replays: as in Environment.
    rules: how long things take, and how often messages are delivered twice.
    limit: the most invocations in one call. With more the executions count as endless.

    `key` is an API key with every scope.

    Nothing happens outside `run`, `run_until`, `advance` and requests. In these calls the time jumps to what is due
    next, and what AWS would do at that time is done. One cloud is open at a time in a process, and while it is open,
    the clocks of the whole process show its time.

    Leaving the block without an error raises AssertionError for a kill or cue that was set and never came.
    """

    def __init__(
        self,
        *workflows: Workflow[..., Any] | Registry,
        project: Project | None = None,
        start: datetime = START,
        seed: int = 0,
        rules: Rules | None = None,
        limit: int = CLOUD_LIMIT,
        check_replays: bool = True,
    ) -> None:
        self._registry = registry_of(workflows)
        self.plan = Plan.of(self._registry, project)
        self.player = Player(SimulatedTime(start, seed, rules))
        self.points = PlayedPoints(POINTS_WITHOUT_LIMIT)
        self._limit, self._check_replays = limit, check_replays

    def __enter__(self) -> Self:
        self.player.__enter__()
        try:
            self._own_stage = CloudStage(
                self.player,
                self.plan,
                self._registry,
                self.points,
                limit=self._limit,
                check_replays=self._check_replays,
            )
        except BaseException:
            self.player.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._stage.close()
        finally:
            self.player.__exit__(kind, error, traceback)
        if error is None:
            self.points.require_passed(*(f"kill_at({number})" for number in self.player.world.account.kills))

    def deploy(self, *workflows: Workflow[..., Any] | Registry) -> None:
        """Replaces the code of all functions by these `workflows`. Queues and limits stay as they were."""
        self._stage.deploy(registry_of(workflows))

    def outage(
        self,
        step: Step[..., Any] | str,
        lasts: timedelta | None = None,
        error: BaseException | str | None = None,
        *,
        operations: str | Iterable[str] | None = None,
        functions: str | Iterable[str] | None = None,
        chance: float = 1.0,
    ) -> None:
        """Makes a step fail, as `Environment.outage` does, or a service of AWS answer the functions with an error.

        step: the step, or one of "dynamodb", "sqs", "s3", "scheduler", "kms" and "events".
        lasts: how long the outage lasts, in simulated time. That of a service has to end.
        error: the exception that attempts of the step raise, or the code of the service's error.
        operations: the names of the operations of the service that fail; None for all.
        functions: the names of the functions whose calls fail; None for all.
        chance: the chance of each call of the service to fail, from 0 to 1.

        botocore tries again, in simulated time, as it does in Lambda. Raises TypeError for an argument of the other
        kind of outage, and ValueError for a time that is not above 0.
        """
        if not isinstance(step, str):
            if isinstance(error, str) or operations is not None or functions is not None or chance != 1.0:
                raise TypeError("the outage of a step takes lasts=timedelta(…) and error=exception")
            return super().outage(step, lasts, error)
        if lasts is None or isinstance(error, BaseException):
            raise TypeError("the outage of a service takes a time and the code of an error")
        return self._outage_of_service(
            step,
            lasts,
            error=error or "InternalServerError",
            operations=operations,
            functions=functions,
            chance=chance,
        )

    # -- the API -------------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """An API key with every scope."""
        return self._stage.key

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        """Sends a request to the HTTP API, through the authorizer, and returns the answer, whatever its status.

        method: the HTTP method.
        path: the path, such as "/v1/executions".
        body: the body as JSON values.
        key: the API key. None takes the cloud's own key, which has every scope; "" sends no key.
        headers, query: further headers, and the query parameters.
        """
        key = self.key if key is None else key
        return self.player.request(method, path, body, key=key or None, headers=headers, query=query)

    def request_all(self, *requests: GatewayRequest) -> list[Response]:
        """Sends several `requests` at the same time, to be served side by side, and returns the answers in their order.

        A request without a key gets the cloud's own.
        """
        for request in requests:
            request.key = self.key if request.key is None else request.key
        return self.player.request_all(*requests)

    def execution(self, execution_id: str) -> Run[Any]:
        """The Run of an execution that a schedule or a request has started, by its `execution_id`.

        Raises ExecutionNotFound.
        """
        state = self._stage.state
        workflow = state.reading.workflow(state.reading.execution(execution_id))
        state.started.setdefault(execution_id, workflow)
        return Run(state.reading, workflow, execution_id)

    # -- queues ----------------------------------------------------------------------------------------------------

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        """The bodies of the messages in the dead-letter queue, as JSON values: one for each failed execution."""
        return [json.loads(body) for body in self.messages(DEAD_LETTERS)]

    @property
    def undelivered(self) -> list[str]:
        """The bodies of what no function could handle: poison messages, and stream records that were given up."""
        return self.messages(UNDELIVERED)

    def messages(self, queue: str) -> list[str]:
        """The bodies of the messages in a queue.

        queue: the name of a pool, "timer", "park", or the name of a queue.
        """
        return [message.body for message in messages_in(queue_of(self._queue(queue)))]

    def send(self, queue: str, body: str) -> None:
        """Puts a message with the text `body` into a `queue`, which is named as in `messages`."""
        resources.client("sqs").send_message(QueueUrl=self._queue(queue), MessageBody=body)

    def _queue(self, name: str) -> str:
        """The name or URL that moto knows a queue by."""
        return {"timer": TIMER, "park": PARK, **self._stage.deployment.pools}.get(name, name)

    def redrive(self, rate: int | None = None) -> MoveTask:
        """Starts a redrive of the dead letters, as the SQS console does.

        rate: messages a second, 1 to 500. None takes 500.
        """
        return self.player.redrive(DEAD_LETTERS, rate)

    @property
    def invocations(self) -> list[Invocation]:
        """Every invocation that has ended, in the order of the ends."""
        return self.player.invocations
