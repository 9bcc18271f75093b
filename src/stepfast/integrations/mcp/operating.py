"""The tools of operators: list, show, resume, fork, signal, query, update. Only with `stepfast mcp --operate`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp_types import CallToolResult, Tool, ToolAnnotations
from pydantic import Field

from stepfast.integrations.mcp import pausing, states
from stepfast.integrations.mcp.calls import ToolCall
from stepfast.integrations.mcp.states import RESUME_TOOL, SIGNAL_TOOL, Object
from stepfast.integrations.mcp.tools import ID, ToolArguments

FORK_TOOL = "stepfast_fork"
LIST_TOOL = "stepfast_list"
SHOW_TOOL = "stepfast_show"
QUERY_TOOL = "stepfast_query"
UPDATE_TOOL = "stepfast_update"
UPDATE_SECONDS = 30.0
"""How long the tool waits for the answer of an update."""
SHOWN_VALUE_BYTES = 4096
"""Bytes of JSON of the largest value that the tools show; `stepfast show` and the dashboard show larger ones."""
_LISTED = ("execution_id", "workflow", "status", "labels", "created_at", "ended_at")
_COMMAND = ("id", "kind", "name", "status", "attempt", "input", "output", "error", "first_at", "ended_at", "due")


class ListArguments(ToolArguments):
    workflow: str | None = Field(None, description="Only executions of this workflow.")
    status: str | None = Field(None, description="RUNNING, PAUSED, SUCCEEDED, FAILED, CLOSED or CANCELLED.")
    prefix: str | None = Field(None, description="Only executions whose ids begin with this.")
    labels: dict[str, str] = Field({}, description="Only executions that have all of these labels.")
    since: str | None = Field(None, description="Only executions started then or later: ISO 8601.")
    until: str | None = Field(None, description="Only executions started before: ISO 8601.")
    children: bool = Field(False, description="True lists the children of other executions too.")
    parent: str | None = Field(None, pattern=ID, description="Only the children of this execution.")
    limit: int = Field(20, ge=1, le=100)
    cursor: str | None = Field(None, description="`next` of the page before, with the other arguments unchanged.")


class ShowArguments(ToolArguments):
    execution_id: str = Field(pattern=ID)
    status: list[str] | None = Field(None, description="Only commands with one of these statuses.")
    step: str | None = Field(None, description="Only commands of this name.")
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, description="`next` of the page before, with the other arguments unchanged.")


class ResumeArguments(ToolArguments):
    execution_id: str = Field(pattern=ID)
    steps: list[str] | None = Field(
        None,
        description="Ids of commands to run again, from stepfast_show. Left out: the steps behind the failure.",
    )


class QueryArguments(ToolArguments):
    execution_id: str = Field(pattern=ID)
    name: str | None = Field(
        None, description="The query. Left out: the queries and updates are listed, with their schemas."
    )
    payload: Any = Field(None, description="The argument of the query; the list has its `payload_schema`.")


class UpdateArguments(ToolArguments):
    execution_id: str = Field(pattern=ID)
    name: str = Field(description="The update; stepfast_query without a name lists them, with their schemas.")
    payload: Any = Field(None, description="The argument of the update; the list has its `payload_schema`.")
    update_id: str | None = Field(
        None, pattern=ID, description="A call that is repeated with the same update_id runs the update once."
    )


class ForkArguments(ToolArguments):
    execution_id: str = Field(pattern=ID)
    before: str | None = Field(
        None, description="Id of the command that the fork runs anew, from stepfast_show. Left out: the failure."
    )
    input: Any = Field(None, description="In place of the input of the execution, which the fork has if left out.")
    fork_id: str | None = Field(
        None, pattern=ID, description="Names the fork. A call that is repeated with the same fork_id forks once."
    )
    why: str | None = Field(None, description="For the history.")


class SignalArguments(ToolArguments):
    execution_id: str = Field(pattern=ID)
    name: str = Field(description="The name that the workflow waits for.")
    payload: Any = Field(None, description="Any JSON value; its schema is in `waiting_for` of the execution.")
    signal_id: str | None = Field(
        None, pattern=ID, description="A call that is repeated with the same signal_id sends the signal once."
    )


async def _list(call: ToolCall, asked: ListArguments) -> CallToolResult:
    filters = asked.model_dump(exclude={"children"})
    roots = asked.parent is None and not asked.children
    page = await asyncio.to_thread(call.client.list, **filters, roots=roots)
    rows = [
        {**{key: row[key] for key in _LISTED}, "error": _short(row["error"]), **states.parent_of(row)}
        for row in page["executions"]
    ]
    more = ", and there are more: call again with `next` as the cursor" if page["next"] else ""
    return states.answer({"summary": f"{len(rows)} executions{more}", "executions": rows, "next": page["next"]})


async def _show(call: ToolCall, asked: ShowArguments) -> CallToolResult:
    execution = call.client.execution(asked.execution_id)
    state = await call.state(execution, 0)
    page = await asyncio.to_thread(
        execution.commands, asked.status, asked.step, asked.limit, asked.cursor, SHOWN_VALUE_BYTES
    )
    commands = [
        {**{key: command[key] for key in _COMMAND if key in command}, "error": _short(command["error"])}
        | ({"children": command["children"]} if command.get("children") else {})
        for command in page["commands"]
    ]
    notable = [command["id"] for command in page.get("notable", ())]
    first = {"partial": True, "look_at_first": notable} if page.get("partial") else {}
    return states.answer({**state, "commands": commands, "counts": page["counts"], **first, "next": page["next"]})


async def _resume(call: ToolCall, asked: ResumeArguments) -> CallToolResult:
    execution = call.client.execution(asked.execution_id)
    resumed = await asyncio.to_thread(execution.resume, asked.steps)
    notice = f"; {resumed['notice']}" if resumed.get("notice") else ""
    summary = f"execution {asked.execution_id!r} was resumed{notice}"
    return states.answer(
        {"summary": summary, "execution_id": asked.execution_id, "status": resumed["status"]}
        | {key: resumed.get(key) for key in ("reopened", "waits")}
    )


async def _fork(call: ToolCall, asked: ForkArguments) -> CallToolResult:
    fork_id = asked.fork_id or call.id_for(FORK_TOOL, asked.model_dump())
    execution = call.client.execution(asked.execution_id)
    chosen = {"input": asked.input} if "input" in asked.model_fields_set else {}
    forked = await asyncio.to_thread(execution.fork, fork_id, before=asked.before, why=asked.why, **chosen)
    summary = f"execution {asked.execution_id!r} was forked as {forked.execution_id!r}"
    return states.answer({"summary": summary, "execution_id": forked.execution_id, "origin": asked.execution_id})


async def _signal(call: ToolCall, asked: SignalArguments) -> CallToolResult:
    signal_id = asked.signal_id or call.id_for(SIGNAL_TOOL, asked.model_dump())
    execution = call.client.execution(asked.execution_id)
    sent = await asyncio.to_thread(execution.signal, asked.name, asked.payload, signal_id)
    note = f"; {sent['note']}" if sent.get("note") else ""
    summary = f"signal {asked.name!r} was sent to execution {asked.execution_id!r}{note}"
    return states.answer({"summary": summary, "execution_id": asked.execution_id, "signal_id": sent["signal_id"]})


async def _query(call: ToolCall, asked: QueryArguments) -> CallToolResult:
    execution = call.client.execution(asked.execution_id)
    if asked.name is None:
        handlers = await asyncio.to_thread(execution.handlers)
        return states.answer({"summary": f"what execution {asked.execution_id!r} can be asked", **handlers})
    answer = await asyncio.to_thread(execution.query, asked.name, asked.payload)
    return states.answer({"summary": f"the answer of query {asked.name!r}", "answer": answer})


async def _update(call: ToolCall, asked: UpdateArguments) -> CallToolResult:
    update_id = asked.update_id or call.id_for(UPDATE_TOOL, asked.model_dump())
    execution = call.client.execution(asked.execution_id)

    def run() -> Any:
        return execution.update(asked.name, asked.payload, update_id=update_id, timeout=UPDATE_SECONDS)

    try:
        result = await asyncio.to_thread(run)
    except TimeoutError:
        summary = f"update {asked.name!r} is not answered yet: call again with its update_id"
        return states.answer({"summary": summary, "update_id": update_id, "status": "pending"})
    summary = f"update {asked.name!r} of execution {asked.execution_id!r} has succeeded"
    return states.answer({"summary": summary, "update_id": update_id, "result": result})


def _short(error: Object | None) -> Object | None:
    return None if error is None else {key: error.get(key) for key in ("type", "message", "step") if key in error}


Handler = Callable[[ToolCall, Any], Awaitable[CallToolResult]]

HANDLERS: Mapping[str, tuple[type[ToolArguments], Handler]] = {
    LIST_TOOL: (ListArguments, _list),
    SHOW_TOOL: (ShowArguments, _show),
    RESUME_TOOL: (ResumeArguments, _resume),
    FORK_TOOL: (ForkArguments, _fork),
    SIGNAL_TOOL: (SignalArguments, _signal),
    QUERY_TOOL: (QueryArguments, _query),
    UPDATE_TOOL: (UpdateArguments, _update),
    pausing.PAUSE_TOOL: (pausing.PauseArguments, pausing.pause),
    pausing.UNPAUSE_TOOL: (pausing.UnpauseArguments, pausing.unpause),
}

_ABOUT = {
    LIST_TOOL: (
        "List executions",
        "Lists executions of stepfast workflows, newest first. Executions that others have started as their children "
        "are left out, unless `children` is true or `parent` names the execution whose children to list.",
        True,
    ),
    SHOW_TOOL: (
        "Show the commands of an execution",
        "Shows an execution of a stepfast workflow with its steps, timers and signals, and their inputs, outputs and "
        f"errors. Values above {SHOWN_VALUE_BYTES} bytes are left out. A command of kind child names its executions in "
        "`children`, and a child has a `parent`.",
        True,
    ),
    RESUME_TOOL: (
        "Resume a FAILED execution",
        "Continues a FAILED execution of a stepfast workflow from the steps that failed. Steps that have succeeded do "
        "not run again. Remove the cause of the failure first.",
        False,
    ),
    FORK_TOOL: (
        "Fork an execution",
        "Starts an execution of a stepfast workflow with what another has recorded before a command, or before its "
        "failure. The command and all that follows from it run anew, with the deployed code and another input if you "
        "give one. The other execution is not changed.",
        False,
    ),
    SIGNAL_TOOL: (
        "Send a signal",
        "Sends a signal to an execution of a stepfast workflow that waits for it, such as an approval.",
        False,
    ),
    QUERY_TOOL: (
        "Ask an execution",
        "Asks a query of an execution of a stepfast workflow, or lists its queries and updates with the JSON "
        "Schemas of what they take and answer. It changes nothing.",
        True,
    ),
    UPDATE_TOOL: (
        "Update an execution",
        "Runs an update of an execution of a stepfast workflow, and returns its result.",
        False,
    ),
    pausing.PAUSE_TOOL: (
        "Pause a workflow",
        "Has executions of a stepfast workflow that start from now on be held: they are recorded as PAUSED, and "
        "nothing of them begins. Executions that have begun go on. Safe to repeat.",
        False,
    ),
    pausing.UNPAUSE_TOOL: (
        "Unpause a workflow",
        "Has new executions of a stepfast workflow begin again, and starts a job that lets go what was held, at a "
        "rate. Safe to repeat.",
        False,
    ),
}


def tools() -> list[Tool]:
    return [
        Tool(
            name=name,
            title=title,
            description=description,
            input_schema=HANDLERS[name][0].model_json_schema(),
            annotations=ToolAnnotations(read_only_hint=reads),
        )
        for name, (title, description, reads) in _ABOUT.items()
    ]
