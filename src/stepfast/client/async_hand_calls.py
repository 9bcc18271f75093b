"""The asynchronous twin of hand_calls.py: `make async-client` writes it. Change hand_calls.py."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import quote

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.async_handle import AsyncHandle
from stepfast.client.hand_calls import LEFT_OUT
from stepfast.client.handle import R
from stepfast.client.values import plain, segment
from stepfast.errors import InvalidRequest


class AsyncHandCalls(AsyncHandle[R]):
    """The part of a handle on an execution that changes what is recorded, or starts over from it."""

    async def repair(
        self,
        command: str,
        *,
        result: Any = LEFT_OUT,
        skip: bool = False,
        input: Mapping[str, Any] | None = None,
        why: str | None = None,
    ) -> Object:
        """Repairs a step of a FAILED, RUNNING or PAUSED execution by hand; returns it as JSON values.

        Give exactly one of these:

        result: the result of the step, a model or plain JSON values. It is checked against the step's type.
        skip: True sets null as the result, which the step's type must allow.
        input: all arguments of the next attempt by their names. Later attempts have them, too.

        command: the id of the step, as `describe` has it.
        why: for the history, which also has the caller's name.

        A FAILED execution is resumed by it. An attempt that still runs is refused.

        Raises ExecutionNotFound, WrongStatus when the execution has ended for good or is CLOSED, and InvalidRequest for
        a command that is no step, has not begun or has its outcome, and for a value that does not fit.
        """
        chosen: Object = {} if why is None else {"why": why}
        if result is not LEFT_OUT:
            chosen["result"] = plain(result, "result")
        if skip:
            chosen["skip"] = True
        if input is not None:
            chosen["input"] = {name: plain(value, f"input: {name}") for name, value in input.items()}
        path = f"{self._path}/commands/{quote(command, safe='')}/repair"
        return (await (await self._home()).send("POST", path, shapes.Execution, chosen)).body

    async def fork(
        self,
        execution_id: str | None = None,
        *,
        before: str | None = None,
        input: Any = LEFT_OUT,
        labels: Mapping[str, str] | None = None,
        children: Literal["relink", "copy"] = "relink",
        why: str | None = None,
    ) -> Self:
        """Starts an execution with what this one has recorded before a command, and returns a handle on it.

        The command, and all that follows from it, runs anew, with the code that is deployed. This execution may have
        any status, and is not changed.

        execution_id: of the fork: 1 to 128 of `A-Z a-z 0-9 . _ -`. A later call with the same id and arguments returns
        the same fork. None makes a new id.
        before: the id of the command, as `describe` has it. None: the failure of a FAILED or CLOSED execution.
        input: in place of the input of this execution: a model or plain JSON values.
        labels: in place of the labels of this execution.
        children: "relink" takes over the outcomes of children, which stay with this execution. "copy" copies those that
        have ended, too; the copies belong to the fork.
        why: for the history, which also has the caller's name.

        Raises ExecutionNotFound, InvalidRequest for a command that the execution does not have, without a command where
        there is no failure, and for a workflow with start options, and ExecutionConflict when the id is taken.
        """
        calls = await self._home()
        if execution_id is None:
            execution_id = str(uuid.uuid4())
            while self._stacks.owner(execution_id) is not calls and len(self._stacks.all) > 1:
                execution_id = str(uuid.uuid4())
        elif self._stacks.owner(segment(execution_id, "an execution id")) is not calls and len(self._stacks.all) > 1:
            wrong = f"the id {execution_id!r} belongs to another deployment than the execution: leave it out"
            raise InvalidRequest(wrong, (("execution_id", wrong),))
        body: Object = {"execution_id": execution_id, "children": children}
        body |= {name: value for name, value in (("before", before), ("why", why)) if value is not None}
        if input is not LEFT_OUT:
            body["input"] = plain(input, "input")
        if labels is not None:
            body["labels"] = dict(labels)
        answer = await calls.send("POST", f"{self._path}/fork", shapes.Execution, body)
        return await self._beside(execution_id, answer.status == 201)
