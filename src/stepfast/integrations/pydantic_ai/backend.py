"""Registers each operation of an agent as a step, under a name that does not change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from pydantic import JsonValue
from pydantic_ai import exceptions
from pydantic_ai.durable_exec import (
    BoundDurableOperation,
    DurableOperation,
    DurableOperationId,
    OperationConfigRole,
    RegisteredOperationBackend,
    ToolsetCallToolId,
    ToolsetValidateToolArgumentsId,
    durable_unit_scope,
)

from stepfast.errors import RetryAfter, StepFailed
from stepfast.integrations.pydantic_ai.naming import operation_name, tool_step_name
from stepfast.integrations.pydantic_ai.options import merged
from stepfast.integrations.pydantic_ai.places import within_run
from stepfast.integrations.pydantic_ai.progress import ShownProgress
from stepfast.integrations.pydantic_ai.transports import METADATA, Transports
from stepfast.integrations.pydantic_ai.wire import AgentCall, dumped, label_of
from stepfast.language.retry import Retry
from stepfast.language.step_options import StepOptions
from stepfast.language.steps import Step, step

_HOPELESS = (
    "UserError",
    "UsageLimitExceeded",
    "ModelRequestRejectedError",
    "ModelQuotaExceededError",
    "ModelRequestTimeout",
)
HOPELESS: tuple[type[BaseException], ...] = tuple(
    getattr(exceptions, name) for name in _HOPELESS if hasattr(exceptions, name)
)
"""Errors of pydantic-ai that another attempt of the same call meets again. Old versions lack some of them."""
ANSWERS_TO_THE_MODEL = ((exceptions.ModelRetry, "model_retry"), (exceptions.ToolFailed, "tool_failed"))
"""Exceptions by which a tool answers the model, and the kind of their payload."""
FunctionTools = Callable[[str], Any]
"""Returns the function toolset of an id, or None."""


class Namer:
    """Names of operations, as pydantic-ai's backends take them."""

    def __init__(self, agent: str) -> None:
        self.agent = agent

    def operation_name(self, operation_id: DurableOperationId) -> str:
        return operation_name(self.agent, operation_id)

    def invocation_name(self, operation_id: DurableOperationId, *, label: str | None) -> Any:
        raise NotImplementedError  # only backends that take callables ask for it


class Config:
    """The options of steps by operation. options: by role, and for MCP servers by "mcp"."""

    def __init__(self, agent: str, options: dict[str, StepOptions], tools: FunctionTools) -> None:
        self._agent = agent
        self._options = options
        self._tools = tools

    def base(self, role: OperationConfigRole, *, operation_id: DurableOperationId) -> StepOptions:
        kind = getattr(operation_id, "toolset_kind", "mcp" if role == "tool" else "")
        return self._options["mcp" if role == "tool" and kind == "mcp" else role]

    def for_tool(
        self, role: OperationConfigRole, *, operation_id: DurableOperationId, tool: object | None, tool_name: str
    ) -> StepOptions | Literal[False]:
        """The same for all tools. `of_tool` says what function tools have of their own."""
        return self.base(role, operation_id=operation_id)

    def source(self, operation_id: DurableOperationId, tool: object | None, tool_name: str) -> Any:
        """The function tool itself, by the name that it has in its toolset; None for tools of other toolsets."""
        toolset = self._tools(getattr(operation_id, "toolset_id", ""))
        name = getattr(tool, "original_name", None) or tool_name
        return None if toolset is None else toolset.tools.get(name)

    def is_inline(self, source: Any) -> bool:
        """Whether a function tool runs in the workflow's code: a Step, and a tool whose metadata says so."""
        return source is not None and (
            isinstance(source.function, Step) or (source.metadata or {}).get(METADATA) is False
        )

    def of_tool(self, source: Any, operation_id: DurableOperationId) -> StepOptions:
        """The options of the step of a function tool."""
        own = (source.metadata or {}).get(METADATA) or {} if source is not None else {}
        where = f"agent {self._agent!r}: metadata {METADATA!r} of the tool {getattr(source, 'name', '')!r}"
        return merged(where, self.base("tool", operation_id=operation_id), own)


class BoundOperation(BoundDurableOperation[Any, Any, Any]):
    """Calls of one operation. step: makes the call of a step by its parameters, and returns its payload."""

    def __init__(
        self, shown: ShownProgress, operation: DurableOperation[Any, Any, Any], run: Callable[[Any], Awaitable[Any]]
    ) -> None:
        self._agent = shown.agent
        self._shown = shown
        self._operation = operation
        self._run = run

    @property
    def operation(self) -> DurableOperation[Any, Any, Any]:
        return self._operation

    async def __call__(self, params: Any, *, config: object | None = None) -> Any:
        context = getattr(params, "run_context", None) or getattr(params, "ctx", None)
        self._shown.show_status(self._operation.operation_id, params)
        calls_tool = isinstance(self._operation.operation_id, ToolsetCallToolId | ToolsetValidateToolArgumentsId)
        with within_run(self._agent, context, context.tool_call_id if context is not None and calls_tool else None):
            payload = await self._run(params)
        return self._operation.result_codec.load(payload)


class ToolSteps:
    """The steps of a function toolset, one for each tool. They are made when they are first asked for, and kept."""

    def __init__(self, backend: StepBackend, operation: DurableOperation[Any, Any, Any], toolset: str) -> None:
        self._backend = backend
        self._operation = operation
        self._toolset = toolset
        self._steps: dict[str, Step[..., Any]] = {}

    async def run(self, params: Any) -> Any:
        name = getattr(params.tool, "original_name", None) or params.name
        source = self._backend.config.source(self._operation.operation_id, params.tool, name)
        if self._backend.config.is_inline(source):
            return await run_inline(self._backend.transports.toolsets[self._toolset], params)
        return await self._of(name)(self._operation.parameter_transport.dump(params))

    def all(self) -> Iterator[object]:
        """The steps of all tools, and functions that call steps. Tools may be added after the agent was made."""
        for name, source in self._backend.transports.toolsets[self._toolset].tools.items():
            yield source.function if self._backend.config.is_inline(source) else self._of(name)

    def _of(self, tool: str) -> Step[..., Any]:
        if tool not in self._steps:
            identity = self._operation.operation_id
            options = self._backend.config.of_tool(self._backend.config.source(identity, None, tool), identity)
            name = tool_step_name(self._backend.agent, self._toolset, tool)
            self._steps[tool] = made_step(self._operation, name, options, self._backend.shown)
        return self._steps[tool]


class StepBackend(RegisteredOperationBackend[Any]):
    """The steps of one agent. options: by role, and for MCP servers by "mcp". shown: what they report."""

    def __init__(self, shown: ShownProgress, options: dict[str, StepOptions], transports: Transports) -> None:
        self.shown = shown
        self.agent = agent = shown.agent
        self.config = Config(agent, options, transports.toolsets.get)
        self.transports = transports
        self._tool_steps: list[ToolSteps] = []
        super().__init__(namer=Namer(agent), config=self.config, parameter_transports=transports)

    def register(
        self, operation: DurableOperation[Any, Any, Any], *, name: str, config: Any
    ) -> tuple[BoundOperation, Sequence[Callable[..., object]]]:
        identity = operation.operation_id
        if isinstance(identity, ToolsetCallToolId) and identity.toolset_kind == "function":
            steps = ToolSteps(self, operation, identity.toolset_id)
            self._tool_steps.append(steps)
            return BoundOperation(self.shown, operation, steps.run), ()
        made = made_step(operation, name, config, self.shown)
        dump = operation.parameter_transport.dump
        return BoundOperation(self.shown, operation, lambda params: made(dump(params))), (made,)

    def steps(self) -> Iterator[object]:
        """All steps that a run of the agent can ask for, and functions that call steps in the workflow's code."""
        for registered in self.registrations():
            if isinstance(registered, Step):
                yield registered
        for tools in self._tool_steps:
            yield from tools.all()


async def run_inline(toolset: Any, params: Any) -> Any:
    """Calls a tool in the workflow's code, where a Step is recorded, and returns the payload of a tool call.

    A ModelRetry and a ToolFailed, of which a step has failed, go to the model, as those of other tools do.
    """
    try:
        result = await toolset.call_tool(params.name, params.tool_args, params.ctx, params.tool)
    except StepFailed as error:
        for answer, kind in ANSWERS_TO_THE_MODEL:
            if error.is_a(answer):
                return {"kind": kind, "message": error.message}
        raise
    plain = dumped(f"the result of {params.name!r}", Any, result)
    is_ambiguous = isinstance(result, dict) and result.get("kind") == "tool-return"
    return {"kind": "tool_content_result" if is_ambiguous else "tool_return", "result": plain}


def made_step(
    operation: DurableOperation[Any, Any, Any], name: str, options: StepOptions, shown: ShownProgress
) -> Step[..., Any]:
    """The step that runs an operation, from parameters as JSON to a result as JSON."""
    chosen: dict[str, Any] = dict(options)
    retry = chosen.pop("retry", None) or Retry(max_attempts=1 if chosen.get("at_most_once") else 3)
    retry = replace(retry, give_up_on=(*retry.give_up_on, *HOPELESS))

    async def agent_step(call: AgentCall) -> JsonValue:
        params = operation.parameter_transport.load(call, runtime=None)
        try:
            with durable_unit_scope(), shown.reporting(operation.operation_id, params) as reporter:
                returned = await operation.handler(params)
                if reporter is not None:
                    reporter.ended(returned)
                result: Any = operation.result_codec.dump(returned)
        except exceptions.ModelAPIError as error:
            # The provider said how long to wait, as by a Retry-After header. Older versions do not hand that on.
            seconds = getattr(error, "retry_after", None)
            if seconds is None or isinstance(error, retry.give_up_on):
                raise
            raise RetryAfter(seconds, f"{type(error).__name__}: {error}") from error
        return cast(JsonValue, result)

    decorated: Step[..., Any] = step(name=name, label=label_of, retry=retry, **chosen)(agent_step)
    return decorated
