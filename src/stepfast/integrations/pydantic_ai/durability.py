"""StepfastDurability: the capability that makes an agent of pydantic-ai durable in workflows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic_ai import durable_exec
from pydantic_ai._utils import disable_threads
from pydantic_ai.agent import AbstractAgent, EventStreamHandler
from pydantic_ai.capabilities.abstract import AbstractCapability, WrapRunHandler
from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    DurabilityEngineSpec,
    DurableRunContext,
    conversation_id_from_run_id,
)
from pydantic_ai.models import Model
from pydantic_ai.run import AgentRunResult
from pydantic_ai.tools import AgentDepsT, RunContext

from stepfast.errors import DefinitionError
from stepfast.integrations.pydantic_ai.backend import StepBackend
from stepfast.integrations.pydantic_ai.context import Contexts, StepRunContext
from stepfast.integrations.pydantic_ai.naming import agent_name
from stepfast.integrations.pydantic_ai.options import merged
from stepfast.integrations.pydantic_ai.places import new_run_id
from stepfast.integrations.pydantic_ai.progress import ShownProgress, watching
from stepfast.integrations.pydantic_ai.transports import Transports
from stepfast.language import durable, reachable
from stepfast.language.step_options import StepOptions
from stepfast.language.steps import Step
from stepfast.language.workflow_loop import in_workflow, repeats_progress


def waiting_for_signals(agent: str, context: RunContext[Any]) -> contextlib.AbstractContextManager[object]:
    """A block in which pydantic-ai waits for outside events by signals. Before 2.68 it has no such waits."""
    if not hasattr(durable_exec, "external_event_scope"):
        return contextlib.nullcontext()
    from stepfast.integrations.pydantic_ai.signals import SignalWaiter

    return durable_exec.external_event_scope(SignalWaiter(agent, context))


ALL_KINDS = frozenset({"function", "mcp", "dynamic"})
SPEC = DurabilityEngineSpec(
    engine_name="stepfast",
    durable_unit_noun="step",
    durable_container_noun="workflow",
    codec=JSON_CODEC,
    unsupported_runtime_toolset_kinds=ALL_KINDS,  # type: ignore[arg-type]
    wrapped_toolset_kinds=ALL_KINDS,  # type: ignore[arg-type]
    # A step may run in another process than the workflow's code, so each step enters the toolsets that it needs.
    toolset_lifecycles={"function": "enter-outside-durable", "mcp": "enter-outside-durable", "dynamic": "enter-never"},
    tool_config_key=None,
)


class StepfastDurability(BaseDurabilityCapability[AgentDepsT]):
    """Makes the runs of an agent durable in workflows: model requests, tool calls and calls of MCP servers are steps.

    Attach it to an agent at the top level of a module: `Agent(…, name="clerk", capabilities=[StepfastDurability()])`.
    In a workflow, `await clerk.run(…)` then repeats no finished request and no finished tool call, wherever a process
    dies. Outside of workflows, and in steps, the agent runs as without it.

    name: begins the names of the steps, 1 to 32 of A-Z a-z 0-9 . _ -; the name of the agent by default. Do not change
    it while executions are running.
    models: further models by the names under which runs ask for them.
    event_stream_handler: gets the events of each run. Events of the model arrive while the model answers, in the step
    of the request. If that step is tried again, its events arrive again. Each other event is a step.
    deps_type: the type of the dependencies, which are stored as JSON; the agent's own by default.
    model_step, tool_step, mcp_step, event_step: options of `@step` for model requests, for function tools and dynamic
    toolsets, for MCP servers, and for events.
    run_context_type: the class of the RunContext in steps.
    progress: whether steps report what they do, as `heartbeat(progress=…)` does: the request and the tool, and of an
    answer that streams the text so far, about once a second. A tool or a handler that reports by itself goes first.
    show_arguments: whether that has the arguments of tools, which may be secret.
    status: whether the request or the tool that began last is the value of `set_status` of the execution, too.

    Raises DefinitionError for a wrong name or option when the agent is made.
    """

    engine_spec = SPEC

    def __init__(
        self,
        *,
        name: str | None = None,
        models: Mapping[str, Model] | None = None,
        event_stream_handler: EventStreamHandler[AgentDepsT] | None = None,
        deps_type: Any = None,
        model_step: StepOptions | None = None,
        tool_step: StepOptions | None = None,
        mcp_step: StepOptions | None = None,
        event_step: StepOptions | None = None,
        run_context_type: type[DurableRunContext[Any]] = StepRunContext,
        progress: bool = True,
        show_arguments: bool = False,
        status: bool = False,
    ) -> None:
        super().__init__(name=name, models=models, event_stream_handler=event_stream_handler)
        given_by_role = {"model": model_step, "tool": tool_step, "mcp": mcp_step, "event": event_step}
        self._options = {
            role: merged(f"StepfastDurability: {role}_step", options or {}) for role, options in given_by_role.items()
        }
        self._options["capability"] = self._options["tool"]
        self._deps_type = deps_type
        self._run_context_type = run_context_type
        self._shows = {"steps": progress, "arguments": show_arguments, "status": status}
        self._backend: StepBackend | None = None

    def _check_bindable(self) -> None:
        if in_workflow() is not None:
            raise DefinitionError(
                "an agent with StepfastDurability is made in workflow code, so no deployment knows its steps: "
                "make the agent once, at the top level of a module"
            )

    def _bind_to_agent(self, agent: AbstractAgent[AgentDepsT, Any]) -> None:
        name = agent_name(self.name)
        deps_type = agent.deps_type if self._deps_type is None else self._deps_type
        contexts = Contexts(self, name, deps_type, self._run_context_type)
        shown = ShownProgress(name, **self._shows)
        self._backend = StepBackend(shown, self._options, Transports(name, contexts, self.engine_spec))
        if self._event_stream_handler is not None:
            self._bound_event_operation = self._bind_event_operation(self._backend)
        super()._bind_to_agent(agent)

    def get_durable_operation_backend(self) -> StepBackend:
        assert self._backend is not None
        return self._backend

    def _model_stream_event_handler(self) -> EventStreamHandler[AgentDepsT] | None:
        """In the step of a request: the handler of the model's events, which are also reported as progress."""
        return watching(super()._model_stream_event_handler())

    @property
    def steps(self) -> list[Step[..., Any]]:
        """The steps of the agent, once it is made: all that its runs can ask for."""
        return [step for step in self.callees() if isinstance(step, Step)]

    def callees(self) -> list[object]:
        """The steps, and the functions of the agent that call steps in workflow code."""
        return [] if self._backend is None else list(self._backend.steps())

    @contextlib.contextmanager
    def default_model(self, model: Model) -> Iterator[None]:
        """In the block, requests for the agent's own model go to this model."""
        before = dict(self._models_by_id)
        self._models_by_id["default"] = model
        try:
            yield
        finally:
            self._models_by_id = before

    # -- in workflow code --------------------------------------------------------------------------------------

    @property
    def in_durable_context(self) -> bool:
        return in_workflow() is not None

    def get_default_run_id(self) -> str | None:
        return new_run_id(self.name) if self.in_durable_context else None

    def get_default_conversation_id(self, run_id: str) -> str | None:
        return conversation_id_from_run_id(run_id) if self.in_durable_context else None

    def get_run_clock(self) -> Callable[[], datetime] | None:
        return durable.now if self.in_durable_context else None

    async def wrap_run(self, ctx: RunContext[AgentDepsT], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        """In a workflow, functions that are no tools, such as instructions, run without threads, as workflow code.

        Spans of a replay are not ended, so they are not exported.
        """
        if not self.in_durable_context:
            return await handler()
        with contextlib.ExitStack() as scopes:
            scopes.enter_context(disable_threads())
            scopes.enter_context(waiting_for_signals(self.name, ctx))
            if hasattr(durable_exec, "replay_scope"):  # old versions lack it
                scopes.enter_context(durable_exec.replay_scope(is_replaying=repeats_progress))
            return await super().wrap_run(ctx, handler=handler)


def steps_of(agent: AbstractAgent[Any, Any]) -> Iterable[object]:
    """The steps of an agent, for the search of a workflow's steps; none for an agent that is not durable."""
    capabilities: list[AbstractCapability[Any]] = []
    agent.root_capability.apply(capabilities.append)
    durabilities = [capability for capability in capabilities if isinstance(capability, StepfastDurability)]
    if not durabilities:
        return []
    # Functions of capabilities, such as those that ask a person, run in workflow code and may call steps.
    hooks = [value for capability in capabilities for value in vars(capability).values() if callable(value)]
    return [*(step for durability in durabilities for step in durability.callees()), *hooks]


reachable.steps_held_by(AbstractAgent, steps_of)
