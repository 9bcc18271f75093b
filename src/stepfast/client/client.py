"""The client: starts executions, finds them, and resumes failed ones."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal

from stepfast.client import shapes
from stepfast.client.calls import Calls, Object
from stepfast.client.execution import Execution, Objects
from stepfast.client.replies import LARGEST
from stepfast.client.stacks import Listed, Stacks, keys_for, merged_groups
from stepfast.client.values import moment, plain, segment
from stepfast.errors import ExecutionNotFound, Refused

LONGEST_PAUSE = 60.0


class Client:
    """A stepfast API at `url`; thread-safe, to be closed or used as a context manager.

    url: several make one client of several deployments (docs/scale.md): the id of an execution says which of them has
    it, and lists are those of all. api_key: one for all of them, or one for each in their order. former_urls: those of
    them that were there before the last change of `url`, as long as executions of that time are of interest: an id
    that has moved since is looked for there first, so that it is not started once more.
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
        url: str | Sequence[str],
        api_key: str | Sequence[str] | None = None,
        timeout: float = 30.0,
        *,
        retry_for: float = 60.0,
        iam: bool = False,
        largest_answer: int = LARGEST,
        former_urls: Sequence[str] = (),
    ) -> None:
        urls = [url] if isinstance(url, str) or not isinstance(url, Iterable) else [*url]
        self._stacks = Stacks(
            [
                Calls(each, key, timeout, retry_for, iam, largest_answer)
                for each, key in zip(urls, keys_for(urls, api_key), strict=True)
            ],
            former_urls,
        )

    @property
    def url(self) -> str:
        """The first one, where there are several."""
        return self._stacks.first.url

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(calls.url for calls in self._stacks)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections; it cannot be used after."""
        for calls in self._stacks:
            calls.close()

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
        calls = self._holder(execution_id)
        answer = calls.send("POST", path, shapes.Execution, body)
        return Execution(calls, execution_id, created=answer.status == 201)

    def execution(self, execution_id: str) -> Execution:
        """A handle on an execution, which is not looked up before it is used, unless there are `former_urls`."""
        segment(execution_id, "an execution id")
        return Execution(self._holder(execution_id), execution_id)

    def _holder(self, execution_id: str) -> Calls:
        """The deployment that has an execution of this id, or where one is to be started."""
        former = self._stacks.former_owner(execution_id)
        if former is not None:
            try:
                Execution(former, execution_id).status()
            except ExecutionNotFound:
                pass
            else:
                return former
        return self._stacks.owner(execution_id)

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
        query = {
            "workflow": workflow,
            "status": status,
            "label": [f"{key}={value}" for key, value in (labels or {}).items()],
            "since": moment(since),
            "until": moment(until),
            "prefix": prefix,
        }
        place = Listed("/v1/executions", shapes.Executions, "executions", foremost=prefix)
        return self._stacks.page(place, query, limit, cursor)

    def workflows(self) -> Objects:
        """The workflows deployed at the server, the first one where there are several: names, schemas, steps."""
        workflows: Objects = self._stacks.first.get("/v1/workflows", shapes.Workflows)["workflows"]
        return workflows

    def health(self) -> Object:
        """`status` and `version` of the server; needs no API key.

        Of several, the first one's: all are asked, and Unreachable names one that does not answer.
        """
        answers = [calls.get("/v1/health", shapes.Health) for calls in self._stacks]
        return answers[0]

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
        place = Listed("/v1/dead-letters", shapes.DeadLetters, "dead_letters")
        return self._stacks.page(place, {"workflow": workflow, "step": step, "error": error}, limit, cursor)

    def dead_letter_groups(self, workflow: str | None = None) -> Object:
        """FAILED executions counted by workflow, step and error: `groups`, the largest first.

        `complete` is False when there are more FAILED executions than the server looks at.
        """
        answers = [calls.get("/v1/dead-letters/groups", shapes.Groups, workflow=workflow) for calls in self._stacks]
        return answers[0] if len(answers) == 1 else merged_groups(answers)

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
        chosen = {"workflow": workflow, "step": step, "error": error, "rate": rate}
        body: Object = {key: value for key, value in chosen.items() if value is not None}
        if all:
            body["all"] = True
        shares: Iterable[tuple[Calls, Object]] = ((calls, body) for calls in self._stacks)
        if execution_ids is not None:
            shares = (
                (calls, {"execution_ids": ids, **body})
                for calls, ids in self._stacks.shares(execution_ids, self._holder)
            )
        results: Objects = []
        for calls, first in shares:
            for outcome in _replayed(calls, first, rate):
                results.append(outcome)
                if each is not None:
                    each(outcome)
        return {"resumed": sum(outcome["resumed"] for outcome in results), "results": results}


def _replayed(calls: Calls, body: Object | None, rate: float | None) -> Iterator[Object]:
    """The outcomes at one deployment, which does a bounded part with each request."""
    while body is not None:
        answer = calls.send("POST", "/v1/dead-letters/replay", shapes.Replayed, body).body
        yield from answer["results"]
        pause = answer.get("after") or (1 / rate if rate else 0.0)
        if answer["next"] == body and not answer.get("after"):
            raise Refused(f"{calls.url} says that something remains, and never does it")
        body = answer["next"]
        if body is not None and pause:
            time.sleep(min(pause, LONGEST_PAUSE))
