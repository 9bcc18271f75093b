"""The client: starts executions, finds them, and resumes failed ones."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal

from stepfast.client import shapes
from stepfast.client.calls import Calls, Object
from stepfast.client.execution import Execution, Objects
from stepfast.client.replies import LARGEST
from stepfast.client.values import moment, plain, segment
from stepfast.errors import Refused

LONGEST_PAUSE = 60.0


class Client:
    """A stepfast API at `url`; thread-safe, to be closed or used as a context manager.

    timeout: seconds that one try of a call may take. retry_for: seconds for which a call goes on trying
    when the connection fails or the server answers 429, 502, 503 or 504; 0 tries once. iam: signs requests
    with AWS credentials instead of a key, for a deployment with `auth = "iam"`; needs `stepfast[aws]`.
    largest_answer: bytes of an answer, decompressed, that are read at the most.

    Its methods raise the exceptions of `stepfast.errors` that the engine raises itself, `Unreachable` when
    nothing answers in that time, `NotAllowed` for a wrong API key or signature, and `Refused` for an answer that is
    too large or that no stepfast gives. Raises InvalidRequest for a
    url that is none, and StartupError where there is nothing to sign with.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        timeout: float = 30.0,
        *,
        retry_for: float = 60.0,
        iam: bool = False,
        largest_answer: int = LARGEST,
    ) -> None:
        self._calls = Calls(url, api_key, timeout, retry_for, iam, largest_answer)

    @property
    def url(self) -> str:
        return self._calls.url

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections; it cannot be used after."""
        self._calls.close()

    # -- executions --------------------------------------------------------------------------------------

    def run(
        self,
        workflow: str,
        inputs: Any = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Execution:
        """Starts an execution and returns at once; it never starts a second one, however often it has to try.

        inputs: a pydantic model, a dataclass, or plain JSON values. execution_id: makes the call itself
        repeatable: with the same id and input it returns the execution there is. One is made when none is
        given. labels: at most 20, to find executions by.

        Raises UnknownWorkflow, InvalidRequest (its `fields` name what is wrong), and ExecutionConflict when
        the id belongs to another workflow or input.
        """
        execution_id = str(uuid.uuid4()) if execution_id is None else execution_id
        path = f"/v1/workflows/{segment(workflow, 'a workflow name')}/executions"
        body = {
            "input": plain(inputs, "input"),
            "execution_id": segment(execution_id, "an execution id"),
            "labels": dict(labels or {}),
        }
        answer = self._calls.send("POST", path, shapes.Execution, body)
        return Execution(self._calls, execution_id, created=answer.status == 201)

    def execution(self, execution_id: str) -> Execution:
        """A handle on an execution, which is not looked up before it is used."""
        return Execution(self._calls, segment(execution_id, "an execution id"))

    def delete(self, execution_id: str) -> None:
        """Deletes an execution that has ended: what `execution(execution_id).delete()` does.

        WrongStatus when it is RUNNING (cancel it first); ExecutionNotFound, also when it was deleted before.
        """
        self.execution(execution_id).delete()

    def list(
        self,
        workflow: str | None = None,
        status: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | str | None = None,
        labels: Mapping[str, str] | None = None,
        since: datetime | str | float | None = None,
        until: datetime | str | float | None = None,
        limit: int = 50,
        cursor: str | None = None,
        prefix: str | None = None,
    ) -> Object:
        """A page of executions, newest first: `executions`, and `next`, the next page's cursor or None.

        since is inclusive, until is not; datetimes, ISO 8601, or seconds since 1970. limit: 1 to 1000.
        prefix: what their ids begin with; the execution whose id is all of it comes first. A page ends early where
        its inputs and results would be more than about 4 MB: go on while `next` is not None.
        """
        return self._calls.get(
            "/v1/executions",
            shapes.Executions,
            workflow=workflow,
            status=status,
            label=[f"{key}={value}" for key, value in (labels or {}).items()],
            since=moment(since),
            until=moment(until),
            limit=limit,
            cursor=cursor,
            prefix=prefix,
        )

    def workflows(self) -> Objects:
        """The workflows deployed at the server: names, schemas, steps."""
        found: Objects = self._calls.get("/v1/workflows", shapes.Workflows)["workflows"]
        return found

    def health(self) -> Object:
        """`status` and `version` of the server; needs no API key."""
        return self._calls.get("/v1/health", shapes.Health)

    # -- dead letters ------------------------------------------------------------------------------------

    def dead_letters(
        self,
        workflow: str | None = None,
        error: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        step: str | None = None,
    ) -> Object:
        """A page of FAILED executions, newest first: `dead_letters`, and `next`, the next page's cursor or None.

        error: the type of error to look for, such as "ConnectionError". step: the name of the step that
        failed, "" for failures of the workflow's own code. A page may hold fewer than `limit` while there
        are more: go on while `next` is not None.
        """
        return self._calls.get(
            "/v1/dead-letters",
            shapes.DeadLetters,
            workflow=workflow,
            step=step,
            error=error,
            limit=limit,
            cursor=cursor,
        )

    def dead_letter_groups(self, workflow: str | None = None) -> Object:
        """FAILED executions counted by workflow, step and error: `groups`, the largest first.

        `complete` is False when there are more FAILED executions than the server looks at.
        """
        return self._calls.get("/v1/dead-letters/groups", shapes.Groups, workflow=workflow)

    def replay_dead_letters(
        self,
        execution_ids: Sequence[str] | None = None,
        *,
        workflow: str | None = None,
        step: str | None = None,
        error: str | None = None,
        all: bool = False,
        rate: float | None = None,
        each: Callable[[Object], object] | None = None,
    ) -> Object:
        """Resumes failed executions: those of `execution_ids`, those that match, or all of them.

        step: "" for failures of the workflow's own code. rate: at most so many per second. each: called with
        every outcome as it becomes known. Returns `resumed`, how many, and `results`: execution_id, resumed,
        and refused, why one was left alone. Takes as long as it takes; an execution that fails once more
        meanwhile is not resumed twice.
        """
        ids = None if execution_ids is None else [*execution_ids]
        chosen = {"execution_ids": ids, "workflow": workflow, "step": step, "error": error, "rate": rate}
        body: Object | None = {key: value for key, value in chosen.items() if value is not None}
        assert body is not None
        if all:
            body["all"] = True
        results: Objects = []
        while body is not None:
            answer = self._calls.send("POST", "/v1/dead-letters/replay", shapes.Replayed, body).body
            for one in answer["results"]:
                results.append(one)
                if each is not None:
                    each(one)
            pause = answer.get("after") or (1 / rate if rate else 0.0)
            if answer["next"] == body and not answer.get("after"):
                raise Refused(f"{self.url} says that something remains, and never does it")
            body = answer["next"]
            if body is not None and pause:
                time.sleep(min(pause, LONGEST_PAUSE))
        return {"resumed": sum(one["resumed"] for one in results), "results": results}
