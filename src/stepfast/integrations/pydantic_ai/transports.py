"""How the parameters of each operation of pydantic-ai become the JSON argument of a step, and parameters again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import JsonValue
from pydantic_ai.durable_exec import (
    CapabilityMethodDeclaration,
    CapabilityOperationParams,
    DynamicToolsetCallToolParams,
    EventStreamHandlerParams,
    ModelCancelSuspendedResponseParams,
    ModelCompactMessagesParams,
    ModelRequestParams,
    ParameterTransport,
    ParameterTransports,
    ToolsetCallToolParams,
    ToolsetGetToolsParams,
    WorkspaceCall,
    WorkspaceCallParams,
    revalidate_function_call,
)
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import AgentStreamEvent, ModelMessage, ModelResponse
from pydantic_ai.models import ModelRequestContext, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.workspaces import WorkspaceRef

from stepfast.integrations.pydantic_ai.context import Contexts
from stepfast.integrations.pydantic_ai.wire import AgentCall, dumped, loaded, text_of

METADATA = "stepfast"
"""The key of a tool's metadata with the options of its step. They are of no use in a step, and have no JSON form."""
Body = dict[str, Any]


class Transport(ParameterTransport[Any, AgentCall]):
    """Turns the parameters of one operation into an AgentCall, and back.

    dump: returns the label, the identity and the body. load: makes the parameters of a body.
    """

    def __init__(self, dump: Callable[[Any], tuple[str, str, Body]], load: Callable[[Body], Any]) -> None:
        self._dump = dump
        self._load = load

    def dump(self, params: Any) -> AgentCall:
        label, identity, body = self._dump(params)
        return AgentCall(label=label, identity=identity, body=body)

    def load(self, payload: AgentCall, *, runtime: object = None) -> Any:
        return self._load(dict(payload.body))


class Transports(ParameterTransports):
    """The transports of one agent. agent: its name, for errors. toolsets: its function toolsets by their ids."""

    def __init__(self, agent: str, contexts: Contexts, engine_spec: Any) -> None:
        self.toolsets: dict[str, Any] = {}
        self._agent = agent
        self._contexts = contexts
        self._engine_spec = engine_spec

    def _plain(self, name: str, kind: Any, value: Any) -> Any:
        return dumped(f"agent {self._agent!r}: {name}", kind, value)

    # -- models --------------------------------------------------------------------------------------------

    def _request_body(self, params: Any, request: Any, parameters: ModelRequestParameters) -> Body:
        return {
            "model": params.model_id,
            "messages": self._plain("the messages", list[ModelMessage], request.messages),
            "settings": self._plain("the model settings", dict[str, Any] | None, request.model_settings),
            "parameters": self._plain("the request parameters", ModelRequestParameters, _without_options(parameters)),
            **self._contexts.dump(params.run_context),
        }

    def model_request(self, result_type: object) -> Transport:
        def dump(params: ModelRequestParams) -> tuple[str, str, Body]:
            count = len(params.messages)
            body = self._request_body(params, params, params.model_request_parameters)
            return f"request {params.run_context.run_step}", f"{params.model_id or ''} after {count} messages", body

        def load(body: Body) -> ModelRequestParams:
            return ModelRequestParams(
                body["model"],
                messages=loaded(list[ModelMessage], body["messages"]),
                model_settings=body["settings"],
                model_request_parameters=loaded(ModelRequestParameters, body["parameters"]),
                run_context=self._contexts.load(body),
            )

        return Transport(dump, load)

    def compact_messages(self) -> Transport:
        def dump(params: ModelCompactMessagesParams) -> tuple[str, str, Body]:
            request = params.request_context
            body = self._request_body(params, request, request.model_request_parameters)
            body |= {"streaming": request.streaming, "instructions": params.instructions}
            return "compaction", f"{params.model_id or ''} after {len(request.messages)} messages", body

        def load(body: Body) -> ModelCompactMessagesParams:
            model: Any = None  # the handler puts the model in
            request = ModelRequestContext(
                model=model,
                messages=loaded(list[ModelMessage], body["messages"]),
                model_settings=body["settings"],
                model_request_parameters=loaded(ModelRequestParameters, body["parameters"]),
            )
            request.model_id = body["model"]
            request.streaming = body["streaming"]
            return ModelCompactMessagesParams(
                body["model"],
                request_context=request,
                instructions=body["instructions"],
                run_context=self._contexts.load(body),
            )

        return Transport(dump, load)

    def cancel_suspended_response(self) -> Transport:
        def dump(params: ModelCancelSuspendedResponseParams) -> tuple[str, str, Body]:
            context = {} if params.run_context is None else self._contexts.dump(params.run_context)
            response = self._plain("the response", ModelResponse, params.response)
            return "cancellation", params.model_id or "", {"model": params.model_id, "response": response, **context}

        def load(body: Body) -> ModelCancelSuspendedResponseParams:
            return ModelCancelSuspendedResponseParams(
                body["model"],
                response=loaded(ModelResponse, body["response"]),
                run_context=self._contexts.load(body) if "context" in body else None,
            )

        return Transport(dump, load)

    def event_stream_handler(self) -> Transport:
        def dump(params: EventStreamHandlerParams) -> tuple[str, str, Body]:
            event = self._plain("the event", AgentStreamEvent, params.event)
            kind = params.event.event_kind
            return kind, kind, {"event": event, **self._contexts.dump(params.run_context)}

        def load(body: Body) -> EventStreamHandlerParams:
            return EventStreamHandlerParams(
                loaded(AgentStreamEvent, body["event"]), run_context=self._contexts.load(body)
            )

        return Transport(dump, load)

    # -- tools -----------------------------------------------------------------------------------------------

    def _call(self, params: Any, definition: ToolDefinition | None) -> tuple[str, str, Body]:
        arguments = self._plain(f"an argument of {params.name!r}", dict[str, Any], params.tool_args)
        body = {
            "tool": params.name,
            "arguments": arguments,
            "definition": self._definition(definition),
            **self._contexts.dump(params.ctx),
        }
        text = text_of(arguments)
        return f"{params.name} {text}", f"{params.name} {text} {params.ctx.tool_call_id or ''}", body

    def _definition(self, definition: ToolDefinition | None) -> Any:
        if definition is None:
            return None
        return self._plain(f"the tool {definition.name!r}", ToolDefinition, _without_metadata(definition))

    def function_call(self, toolset: Any) -> Transport:
        self.toolsets[toolset.id] = toolset

        def dump(params: ToolsetCallToolParams) -> tuple[str, str, Body]:
            assert params.tool is not None
            label, identity, body = self._call(params, params.tool.tool_def)
            body["original_name"] = getattr(params.tool, "original_name", None)
            return label.removeprefix(f"{params.name} "), identity, body  # the step has the tool's name

        def load(body: Body) -> ToolsetCallToolParams:
            context = self._contexts.load(body)
            definition = loaded(ToolDefinition, body["definition"])
            try:
                tool = toolset.tool_for_tool_def(definition, ctx=context, original_name=body["original_name"])
            except KeyError as error:
                raise UserError(
                    f"agent {self._agent!r} has no tool {body['tool']!r} any more: give it back to the agent, and "
                    "resume the execution"
                ) from error
            return ToolsetCallToolParams(body["tool"], tool_args=body["arguments"], ctx=context, tool=tool)

        return Transport(dump, load)

    async def prepare_function_call(self, toolset: Any, params: ToolsetCallToolParams) -> ToolsetCallToolParams:
        return await revalidate_function_call(toolset, params, engine_spec=self._engine_spec)

    def mcp_call(self, toolset: Any) -> Transport:
        def dump(params: ToolsetCallToolParams) -> tuple[str, str, Body]:
            assert params.tool is not None
            return self._call(params, params.tool.tool_def)

        def load(body: Body) -> ToolsetCallToolParams:
            context = self._contexts.load(body)
            tool = toolset.tool_for_tool_def(loaded(ToolDefinition, body["definition"]), ctx=context)
            return ToolsetCallToolParams(body["tool"], tool_args=body["arguments"], ctx=context, tool=tool)

        return Transport(dump, load)

    def dynamic_call(self, toolset: Any) -> Transport:
        def dump(params: DynamicToolsetCallToolParams) -> tuple[str, str, Body]:
            return self._call(params, params.tool_def)

        def load(body: Body) -> DynamicToolsetCallToolParams:
            definition = None if body["definition"] is None else loaded(ToolDefinition, body["definition"])
            return DynamicToolsetCallToolParams(
                body["tool"], tool_args=body["arguments"], ctx=self._contexts.load(body), tool_def=definition
            )

        return Transport(dump, load)

    def _discovery(self, label: str) -> Transport:
        return Transport(
            lambda params: (label, label, self._contexts.dump(params.ctx)),
            lambda body: ToolsetGetToolsParams(self._contexts.load(body)),
        )

    def get_tools(self, toolset: Any) -> Transport:
        return self._discovery("tools")

    def get_instructions(self, toolset: Any) -> Transport:
        return self._discovery("instructions")

    def dynamic_get_tools(self, toolset: Any) -> Transport:
        return self._discovery("tools")

    # -- capabilities ------------------------------------------------------------------------------------------

    def capability_operation(self, declaration: CapabilityMethodDeclaration) -> Transport:
        def dump(params: CapabilityOperationParams) -> tuple[str, str, Body]:
            arguments = self._plain("the arguments of a capability", dict[str, Any], params.arguments)
            body = {"model": params.model_id, "arguments": arguments, **self._contexts.dump(params.run_context)}
            return "capability", "", body

        def load(body: Body) -> CapabilityOperationParams:
            context = self._contexts.load(body)
            return CapabilityOperationParams(context, arguments=body["arguments"], model_id=body["model"])

        return Transport(dump, load)

    def workspace_call(self) -> Transport:
        def dump(params: WorkspaceCallParams) -> tuple[str, str, Body]:
            call = self._plain("the call of a workspace", WorkspaceCall, params.call)
            ref = self._plain("the workspace", WorkspaceRef | None, params.ref)
            body: dict[str, JsonValue] = {"call": call, "ref": ref, **self._contexts.dump(params.run_context)}
            return params.call.method, text_of(call), body

        def load(body: Body) -> WorkspaceCallParams:
            return WorkspaceCallParams(
                run_context=self._contexts.load(body),
                ref=loaded(WorkspaceRef | None, body["ref"]),
                call=loaded(WorkspaceCall, body["call"]),
            )

        return Transport(dump, load)


def _without_options(parameters: ModelRequestParameters) -> ModelRequestParameters:
    tools = [_without_metadata(tool) for tool in parameters.function_tools]
    return replace(parameters, function_tools=tools)


def _without_metadata(definition: ToolDefinition) -> ToolDefinition:
    if not definition.metadata or METADATA not in definition.metadata:
        return definition
    rest = {key: value for key, value in definition.metadata.items() if key != METADATA}
    return replace(definition, metadata=rest or None)
