"""The MCP server: lists the tools, carries out their calls, and answers about tasks."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from pydantic import ValidationError
from starlette.requests import Request

from stepfast.client import Client, Execution, NotAllowed, Unreachable
from stepfast.errors import ExecutionNotFound, InvalidRequest, Refused, StepfastError, Unavailable
from stepfast.integrations.mcp import failures, operating, states, tasks, tools
from stepfast.integrations.mcp.access import Access
from stepfast.integrations.mcp.calls import Context, ToolCall
from stepfast.integrations.mcp.changes import NotifyingServer, WorkflowWatch
from stepfast.integrations.mcp.states import STATUS_TOOL, Object

log = logging.getLogger(__name__)

WATCH_SECONDS = 30.0
"""Between two looks for workflows that have changed, unless --watch says otherwise."""
INSTRUCTIONS = (
    "Each tool without the prefix stepfast_ starts a durable workflow. An execution goes on when a call returns, and "
    f"survives crashes: come back to it with {STATUS_TOOL} and its execution_id instead of starting it again. To make "
    "a start repeatable, choose an execution_id yourself."
)


class Bridge:
    """The handlers of an MCP server in front of a stepfast API.

    access: the clients of the API. wait: seconds that a start waits by default. operate: offers the operator tools.
    watch: seconds between two looks for workflows that have changed; 0 never looks.
    """

    def __init__(self, access: Access, wait: float, operate: bool, watch: float = WATCH_SECONDS) -> None:
        self._changes = WorkflowWatch(access.client, watch)
        self._access, self._wait, self._operate = access, wait, operate
        self._nonce = uuid.uuid4().hex
        self._workflows: dict[str, str] = {}

    def server(self) -> Server[Any]:
        server = NotifyingServer(
            "stepfast",
            version=version("stepfast"),
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_subscriptions_listen=self._changes.listen,
            on_call_tool=self._call_tool,  # type: ignore[arg-type]  # a task is a result of the extension
            # No argument is taken from a header, so nothing has to be looked up before a call.
            get_tool_input_schema=lambda name: None,
        )
        server.extensions[tasks.EXTENSION] = {}
        server.add_request_handler("tasks/get", tasks.TaskParams, self._get_task)
        server.add_request_handler("tasks/update", tasks.UpdateParams, self._update_task)
        server.add_request_handler("tasks/cancel", tasks.TaskParams, self._cancel_task)
        return server

    # -- tools -------------------------------------------------------------------------------------------

    async def _list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        workflows: list[Object] = []
        try:
            async with self._call(context) as call:
                workflows = await self._known(call)
            self._changes.listed(context, workflows)
        except StepfastError as error:
            # A key that may only run lists no workflows. An error would make clients that list the tools to check the
            # answer of a call, as the SDK's does (mcp 2.3), report a failure after the execution was started.
            if not (isinstance(error, NotAllowed) and error.scope):
                raise MCPError(INTERNAL_ERROR, self._text(error, context)) from error
        described = {workflow["name"]: workflow for workflow in workflows}
        listed = [
            tools.workflow_tool(name, described[id], self._wait)
            for name, id in self._workflows.items()
            if id in described
        ]
        own = [tools.status_tool(), *(operating.tools() if self._operate else [])]
        return ListToolsResult(tools=[*listed, *own])

    async def _known(self, call: ToolCall) -> list[Object]:
        workflows = await asyncio.to_thread(call.client.workflows)
        self._workflows = tools.names_of(workflow["name"] for workflow in workflows)
        return workflows

    async def _call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult | Object:
        arguments = params.arguments or {}
        try:
            async with self._call(context) as call:
                return await self._answer(call, params.name, arguments)
        except ValidationError as error:
            return states.refusal(failures.misused(error, params.name))
        except StepfastError as error:
            return states.refusal(self._text(error, context))
        except MCPError:
            raise
        except Exception as error:
            # The message may hold values of an execution, so it is not logged.
            log.error("the tool call failed with %s", type(error).__name__)
            raise MCPError(INTERNAL_ERROR, f"the tool call failed with {type(error).__name__}") from None

    async def _answer(self, call: ToolCall, name: str, arguments: Object) -> CallToolResult | Object:
        if name == STATUS_TOOL:
            asked = tools.StatusArguments.model_validate(arguments)
            return states.answer(await call.state(call.client.execution(asked.execution_id), asked.wait_seconds))
        if self._operate and name in operating.HANDLERS:
            arguments_type, handler = operating.HANDLERS[name]
            return await handler(call, arguments_type.model_validate(arguments))
        return await self._start(call, name, tools.WorkflowArguments.model_validate(arguments))

    # -- a start -----------------------------------------------------------------------------------------

    async def _start(self, call: ToolCall, tool: str, asked: tools.WorkflowArguments) -> CallToolResult | Object:
        workflow = await self._workflow_of(call, tool)
        id = asked.execution_id or call.id_for(tool, {"input": asked.input})
        try:
            execution = await asyncio.to_thread(call.client.run, workflow, asked.input, id)
        except Unavailable as error:
            if isinstance(error, Unreachable) and not error.sent:
                raise
            text = self._text(error, call.context)
            return states.refusal(f"{text}; it may have started: repeat the call with execution_id {id!r}")
        try:
            if asked.wait_seconds is None and tasks.spoken(call.context):
                return tasks.created(await asyncio.to_thread(states.read, execution))
            return await self._waited(call, execution, asked.wait_seconds)
        except (Refused, Unavailable) as error:
            return self._started_unseen(call, execution, workflow, error)

    async def _waited(self, call: ToolCall, execution: Execution[Any], seconds: float | None) -> CallToolResult:
        state = await call.state(execution, self._wait if seconds is None else seconds)
        failed = state["status"] in ("FAILED", "CLOSED", "CANCELLED")
        return states.answer(states.turned(state, execution), failed=failed)

    def _started_unseen(
        self, call: ToolCall, execution: Execution[Any], workflow: str, error: StepfastError
    ) -> CallToolResult:
        """The answer where the start has succeeded, and a look at the execution has not."""
        summary = (
            f"execution {execution.execution_id!r} was started and goes on; it cannot be shown: "
            f"{self._text(error, call.context)}"
        )
        return states.answer(
            {"summary": summary, "execution_id": execution.execution_id, "workflow": workflow, "status": "RUNNING"}
        )

    async def _workflow_of(self, call: ToolCall, tool: str) -> str:
        """The workflow of a tool. Raises MCPError if there is no such tool."""
        if tool not in self._workflows:
            try:
                await self._known(call)
            except NotAllowed as error:
                if error.scope is None:
                    raise
                return tool  # A key without the scope `read` may start workflows that it cannot list.
        if tool in self._workflows:
            return self._workflows[tool]
        if tool in self._workflows.values():
            return tool
        if tool in operating.HANDLERS:
            raise MCPError(INVALID_PARAMS, f"the tool {tool!r} is only there with `stepfast mcp --operate`")
        raise MCPError(INVALID_PARAMS, f"there is no tool {tool!r}: list the tools again")

    # -- tasks -------------------------------------------------------------------------------------------

    async def _get_task(self, context: Context, params: tasks.TaskParams) -> Object:
        async with self._task(context) as call:
            execution = call.client.execution(params.task_id)
            described = await asyncio.to_thread(states.read, execution)
            return tasks.detailed(described, await call.shown(execution, described))

    async def _update_task(self, context: Context, params: tasks.UpdateParams) -> Object:
        """Acknowledges without effect: no task asks for input, and answers to other requests are ignored."""
        async with self._task(context) as call:
            await asyncio.to_thread(states.read, call.client.execution(params.task_id))
        return {}

    async def _cancel_task(self, context: Context, params: tasks.TaskParams) -> Object:
        async with self._task(context) as call:
            if not self._operate:
                text = "executions are cancelled only with `stepfast mcp --operate`: this execution goes on"
                raise MCPError(INVALID_REQUEST, text)
            await asyncio.to_thread(call.client.execution(params.task_id).cancel)
        return {}

    @asynccontextmanager
    async def _task(self, context: Context) -> AsyncIterator[ToolCall]:
        """The call of a request about a task, whose errors are errors of the protocol."""
        tasks.require(context)
        try:
            async with self._call(context) as call:
                yield call
        except (ExecutionNotFound, InvalidRequest) as error:
            raise MCPError(INVALID_PARAMS, self._text(error, context)) from error
        except Refused as error:
            raise MCPError(INVALID_REQUEST, self._text(error, context)) from error
        except StepfastError as error:
            raise MCPError(INTERNAL_ERROR, self._text(error, context)) from error

    # -- clients -----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _call(self, context: Context) -> AsyncIterator[ToolCall]:
        """A call with a client of its own, so that no key outlives its request."""
        client: Client = await asyncio.to_thread(self._access.client, _request(context))
        try:
            yield ToolCall(context, client, self._operate, self._nonce)
        finally:
            client.close()

    def _text(self, error: StepfastError, context: Context) -> str:
        return failures.text_of(error, self._access.url, self._access.hint(_request(context)))


def _request(context: Context) -> Request | None:
    return context.request if isinstance(context.request, Request) else None
