"""Steps whose work is done by a program elsewhere, which is started with a link and answers by it."""

from __future__ import annotations

import inspect
import json
import re
from asyncio import sleep
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypeVar, cast

from stepfast.errors import DefinitionError
from stepfast.language import callables, direct, reachable
from stepfast.language.arguments import Arguments, hints_of
from stepfast.language.callback_errors import CallbackFailed, CallbackTimeout
from stepfast.language.callback_steps import LINK_STEPS
from stepfast.language.callbacks import LONGEST_CALLBACK_NAME, LONGEST_TIMEOUT_SECONDS, callback
from stepfast.language.calls import CommandCall
from stepfast.language.context import current_step
from stepfast.language.durable import random
from stepfast.language.options import Seconds, name_of, policy_of, seconds_of
from stepfast.language.retry import Retry, next_delay
from stepfast.language.steps import Step
from stepfast.language.workflow_loop import Commands, commands_for, in_workflow
from stepfast.values.codec import UNTYPED, Codec

P = ParamSpec("P")
R = TypeVar("R")
Json = dict[str, Any]

FUNCTION = re.compile(r"(?:arn:[\w-]+:lambda:[\w-]+:\d{12}:)?function:[\w-]{1,64}(?::[\w$-]{1,128})?", re.ASCII)
TASK = re.compile(r"(?:arn:[\w-]+:ecs:[\w-]+:\d{12}:)?task-definition/[\w-]{1,255}(?::\d+)?", re.ASCII)
START_RETRY = Retry(max_attempts=8, initial=1.0, max_delay=60.0)
"""For the start of the work, which is short: throttling and outages of the service that starts it."""
START_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsTask:
    """How ECS runs the task of an external step.

    cluster: the name or the ARN of the cluster.
    container: the container that gets the link and the arguments as environment variables.
    subnets, security_groups: the network of the task; Fargate needs subnets.
    public_ip: whether the task gets a public address.
    launch_type: "FARGATE", "EC2" or "EXTERNAL"; None takes the default capacity providers of the cluster.
    roles: the ARNs of the task role and of the execution role, which whoever starts the task must be allowed to pass.
    """

    cluster: str
    container: str
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    public_ip: bool = False
    launch_type: str | None = "FARGATE"
    roles: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalCall:
    """One start of the work of an external step, as an invoker gets it.

    arn: the `arn` of the step. task: how ECS runs it; None for all else.
    step: the name of the step. attempt: which try of the work this is, counted from 1.
    arguments: the arguments of the call as plain JSON values, by name.
    link: the address to which the work sends its answer, its failure and its heartbeats.
    idempotency_key: the same in every attempt of this call, so that the work is done once.
    token: the same in every try to start this attempt, and another for each attempt.
    heartbeat: the longest time between two heartbeats, in seconds; None if none are asked for.
    """

    arn: str
    task: EcsTask | None
    step: str
    execution_id: str
    attempt: int
    arguments: Json = field(repr=False)
    link: str = field(repr=False)
    idempotency_key: str
    token: str
    heartbeat: float | None

    def event(self) -> Json:
        """The event of a Lambda function: all that the work has to know, as JSON."""
        return {
            "arguments": self.arguments,
            "link": self.link,
            "idempotency_key": self.idempotency_key,
            "heartbeat": self.heartbeat,
            "execution_id": self.execution_id,
            "step": self.step,
            "attempt": self.attempt,
        }


Invoker = Callable[[ExternalCall], None] | Callable[[ExternalCall], Awaitable[None]]


class StartStep(Step[..., Json]):
    """The step that starts the work of an external step, under the name of that step."""

    def __init__(self, external: ExternalStep[..., Any], pool: str) -> None:
        super().__init__(
            _starter(external),
            name=external.name,
            retry=START_RETRY,
            timeout=START_TIMEOUT_SECONDS,
            heartbeat=None,
            pool=pool,
            at_most_once=False,
        )
        self.external = external
        self.__doc__, self.__module__ = external.__doc__, external.__module__


def _starter(external: ExternalStep[..., Any]) -> Callable[..., Any]:
    def call_of(arguments: Json, link: str, attempt: int, key: str | None) -> ExternalCall:
        context = current_step()
        return ExternalCall(
            arn=external.arn,
            task=external.task,
            step=external.name,
            execution_id=context.execution_id,
            attempt=attempt,
            arguments=arguments,
            link=link,
            idempotency_key=key or context.idempotency_key,
            token=context.idempotency_key,
            heartbeat=external.heartbeat,
        )

    invoke: Callable[[ExternalCall], Any] = external.invoke
    if inspect.iscoroutinefunction(invoke):

        async def start_async(arguments: Json, link: str, attempt: int, key: str | None) -> Json:
            call = call_of(arguments, link, attempt, key)
            await invoke(call)
            return {"key": call.idempotency_key}

        return start_async

    def start(arguments: Json, link: str, attempt: int, key: str | None) -> Json:
        call = call_of(arguments, link, attempt, key)
        invoke(call)
        return {"key": call.idempotency_key}

    return start


class ExternalStep(Generic[P, R]):
    """A step whose work is done elsewhere, as `@external_step` makes it.

    In workflow code a call starts the work and waits for its answer. Anywhere else a call is a call of `function`.
    start: the step that starts the work.
    """

    def __init__(
        self,
        function: Callable[P, Any],
        *,
        arn: str,
        task: EcsTask | None,
        timeout: Seconds,
        heartbeat: Seconds | None,
        retry: Retry | None,
        name: str | None,
        pool: str,
        invoke: Invoker,
    ) -> None:
        function = callables.definable(function, "step")
        self.function, self.arn, self.task, self.invoke = function, arn, task, invoke
        self.name = name_of(callables.name_to_record(function, "step", name), "step")
        where = f"external step {self.name!r}"
        if len(self.name) > LONGEST_CALLBACK_NAME:
            raise DefinitionError(f"{where}: its name has at most {LONGEST_CALLBACK_NAME} characters")
        self.timeout = seconds_of(timeout, f"{where}: timeout")
        if self.timeout > LONGEST_TIMEOUT_SECONDS:
            raise DefinitionError(f"{where}: timeout is at most 366 days, not {timeout!r}")
        self.heartbeat = None if heartbeat is None else seconds_of(heartbeat, f"{where}: heartbeat", least=1.0)
        self.retry = policy_of(retry, self.name) or Retry()
        self.is_async = inspect.iscoroutinefunction(function)
        self.arguments = Arguments(function, f"{where}: argument")
        callables.note_definition(function, "step", self.name)
        self.__name__, self.__doc__, self.__module__ = self.name, function.__doc__, function.__module__
        self.__wrapped__ = function
        self.start = StartStep(self, pool)

    @cached_property
    def answers(self) -> Any:
        """The type of the answer: the return annotation, or any plain JSON value without one."""
        returns = hints_of(self.function, f"external step {self.name!r}").get("return", UNTYPED)
        return callables.result_type(self.function, returns)

    @cached_property
    def result(self) -> Codec:
        """The codec of the answer."""
        return Codec(self.answers, f"external step {self.name!r}: result")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, R]:
        if in_workflow() is None:
            if direct.in_direct_run():
                return direct.run_step(self.function, self.is_async, args, kwargs)
            return cast("Coroutine[object, None, R]", self.function(*args, **kwargs))
        arguments = json.loads(self.arguments.encode(self.arguments.bind(args, kwargs)))
        return ExternalStepCall(self, arguments)

    async def until_answered(self, arguments: Json) -> R:
        began, key, attempt = commands_for(self.name).now(), None, 0
        while True:
            attempt += 1
            try:
                async with callback(self.name, self.answers, timeout=self.timeout, heartbeat=self.heartbeat) as link:
                    started: Json = await self.start(arguments, link.url, attempt, key)
                    key = started["key"]
                    return cast(R, await link.answer())
            except (CallbackFailed, CallbackTimeout) as error:
                elapsed = commands_for(self.name).now() - began
                delay = _delay(self.retry, error, attempt, elapsed)
                if delay is None:
                    raise
            await sleep(delay)

    def __repr__(self) -> str:
        return f"<external step {self.name!r}>"


class ExternalStepCall(CommandCall[R]):
    """The coroutine of one call of an external step in a workflow: the commands of its start and of its answer."""

    __slots__ = ("_arguments", "_step")

    def __init__(self, step: ExternalStep[..., R], arguments: Json) -> None:
        self._step, self._arguments = step, arguments
        super().__init__(step.name, f"external step {step.name!r}")

    def _ask(self, commands: Commands) -> Awaitable[R]:
        return self._step.until_answered(self._arguments)


class _Draw:
    """Draws jitter from the random numbers of workflow code, so that every replay waits as long."""

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * random()


def _delay(policy: Retry, error: CallbackFailed | CallbackTimeout, failures: int, elapsed: float) -> float | None:
    """Seconds until the work is started again, or None when the step has failed for good.

    A reported failure is judged by the name of its type, since its class may be one of another language.
    """
    reported = error.error_type if isinstance(error, CallbackFailed) else ""
    if reported == "GiveUp" or _is_one_of(error, reported, policy.give_up_on):
        return None
    if not _is_one_of(error, reported, policy.retry_on):
        return None
    return next_delay(policy, failures=failures, elapsed=elapsed, draw=cast(Any, _Draw()))


def _is_one_of(error: Exception, reported: str, kinds: tuple[type[BaseException], ...]) -> bool:
    return isinstance(error, kinds) or reported in {kind.__name__ for kind in kinds}


reachable.steps_held_by(ExternalStep, lambda external: (external.start, *LINK_STEPS))
