"""The client: starts executions, finds them, and resumes failed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.audit_calls import AuditCalls
from stepfast.client.bulk import replayed, started
from stepfast.client.calls import Calls
from stepfast.client.execution import Execution, Objects
from stepfast.client.job_calls import JobCalls
from stepfast.client.limit_calls import LimitCalls
from stepfast.client.link_calls import LinkCalls
from stepfast.client.recording_calls import RecordingCalls
from stepfast.client.replies import MAX_REPLY_BYTES
from stepfast.client.schedule_calls import ScheduleCalls
from stepfast.client.stacks import Listed, Stacks, keys_for, merged_groups
from stepfast.client.starts import (
    Start,
    Turned,
    WorkflowResult,
    WorkflowWithInput,
    WorkflowWithoutInput,
    body_of,
    in_requests,
    name_of,
)
from stepfast.client.values import moment, segment
from stepfast.client.webhook_calls import WebhookCalls
from stepfast.client.workflow_calls import WorkflowCalls
from stepfast.errors import InvalidRequest, StepfastError

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")


class Client(LimitCalls, LinkCalls, ScheduleCalls, RecordingCalls, JobCalls, WebhookCalls, AuditCalls, WorkflowCalls):
    """A client of the stepfast API at `url`. It is thread-safe. Close it, or use it as a context manager.

    url: the URL of the API. Several URLs make one client of several deployments (docs/scale.md): the id of an
    execution decides which deployment has it, and lists cover all deployments.
    api_key: one key for all URLs, or one key for each URL in the same order.
    timeout: seconds that one try of a call may take.
    retry_for: seconds for which a call is tried again when the connection fails or the server answers 429, 502, 503
    or 504. 0 tries once.
    iam: signs requests with AWS credentials instead of a key, for a deployment with `auth = "iam"`. This needs
    `stepfast[aws]`.
    largest_answer: the largest answer that is read, in bytes after decompression.
    former_urls: the URLs from before the last change of `url`. Keep them as long as executions from that time matter:
    an id whose deployment has changed is looked for in its former deployment first, so that it is not started twice.

    Raises InvalidRequest for a URL that is not valid, and StartupError where there are no credentials to sign with.
    The methods raise the exceptions of `stepfast.errors` that the engine raises, `Unreachable` when nothing answers
    within `retry_for`, `NotAllowed` for a wrong API key or signature, and `Refused` for an answer that is too large or
    does not come from stepfast.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        api_key: str | Sequence[str] | None = None,
        timeout: float = 30.0,
        *,
        retry_for: float = 60.0,
        iam: bool = False,
        largest_answer: int = MAX_REPLY_BYTES,
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
        """The URL of the API, without a slash at its end. Where there are several, the first URL."""
        return self._stacks.first.url

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of all deployments, in the order in which they were passed."""
        return tuple(calls.url for calls in self._stacks)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. The client cannot be used afterwards; to close it again has no effect."""
        for calls in self._stacks:
            calls.close()

    # -- executions --------------------------------------------------------------------------------------

    @overload
    def run(
        self,
        workflow: str,
        inputs: Any = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Execution[Any]: ...
    @overload
    def run(
        self,
        workflow: WorkflowWithoutInput[R],
        inputs: None = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Execution[R]: ...
    @overload
    def run(
        self,
        workflow: WorkflowWithInput[I, R],
        inputs: I,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Execution[R]: ...
    def run(
        self,
        workflow: Any,
        inputs: Any = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Execution[Any]:
        """Starts an execution and returns a handle without waiting for its end.

        Retries within one call never start a second execution. Of a workflow with a singleton or a throttle the handle
        is of the execution that the start was turned into, and its `turned_into` says how.

        workflow: the workflow, or its name. With the workflow itself the input is checked by its type, and `result()`
        of the handle returns the type that the workflow returns.
        inputs: a value of the type that the workflow takes, a pydantic model, a dataclass, or plain JSON values.
        execution_id: 1 to 128 of `A-Z a-z 0-9 . _ -`. With an id the call is idempotent: a later call with the same id
        and input returns the execution that exists. None makes a new id.
        labels: at most 20 names and values, to find executions by.

        Raises UnknownWorkflow, InvalidRequest (its `fields` name the wrong values), and ExecutionConflict when the id
        belongs to another workflow or input.
        """
        path = f"/v1/workflows/{name_of(workflow)}/executions"
        body = body_of(workflow, inputs, execution_id, labels)
        calls = self._stacks.holder(body["execution_id"])
        answer = calls.send("POST", path, shapes.StartedExecution, body)
        turned = Turned(answer.body["execution_id"], answer.status == 201, answer.body.get("turned_into"))
        return self._handle(turned.execution_id, workflow, calls, turned)

    def run_many(self, starts: Iterable[Start[R]]) -> Sequence[Execution[R] | StepfastError]:
        """Starts many executions with few requests, and returns an outcome for each start, in their order.

        An outcome is a handle, or the exception that `run` would have raised for this start. The starts are
        independent of each other: an invalid start does not hold up the others. They happen in no order. A start
        with an id is idempotent as in `run`.

        starts: any number. One request carries up to 1,000 starts and 4 MB.

        Raises InvalidRequest for starts that the API cannot read, Unreachable, and NotAllowed. Starts of earlier
        requests have happened then: the same call with the same ids is safe.
        """
        entries = [*starts]
        outcomes: dict[int, Execution[R] | StepfastError] = {}
        shares: dict[str, tuple[Calls, list[tuple[int, Object]]]] = {}
        for number, start in enumerate(entries):
            try:
                name = name_of(start.workflow)
                body = body_of(start.workflow, start.inputs, start.execution_id, start.labels)
            except InvalidRequest as error:
                outcomes[number] = error
                continue
            calls = self._stacks.holder(body["execution_id"])
            shares.setdefault(calls.url, (calls, []))[1].append((number, {"workflow": name, **body}))
        for calls, bodies in shares.values():
            for request in in_requests(bodies):
                for number, outcome in started(calls, request):
                    workflow = entries[number].workflow
                    outcomes[number] = (
                        self._handle(outcome.execution_id, workflow, calls, outcome)
                        if isinstance(outcome, Turned)
                        else outcome
                    )
        return [outcomes[number] for number in range(len(entries))]

    @overload
    def execution(self, execution_id: str, workflow: None = None) -> Execution[Any]: ...
    @overload
    def execution(self, execution_id: str, workflow: WorkflowResult[R]) -> Execution[R]: ...
    def execution(self, execution_id: str, workflow: Any = None) -> Execution[Any]:
        """A handle on the execution `execution_id`. Nothing is sent before the handle is used.

        workflow: the workflow of the execution: `result()` then returns the type that the workflow returns.

        Raises InvalidRequest for an id that no execution can have.
        """
        return self._handle(segment(execution_id, "an execution id"), workflow)

    def _handle(
        self, execution_id: str, workflow: Any, calls: Calls | None = None, turned: Turned | None = None
    ) -> Execution[Any]:
        return Execution(self._stacks, execution_id, calls=calls, turned=turned, workflow=workflow)

    def delete(self, execution_id: str) -> None:
        """Deletes the execution `execution_id`, which has ended, for good. `Execution.delete` does the same.

        Raises WrongStatus when it is RUNNING (cancel it first), and ExecutionNotFound, also when an earlier call has
        deleted it. Retries within one call do not raise ExecutionNotFound.
        """
        self.execution(execution_id).delete()

    def list(
        self,
        workflow: str | None = None,
        status: Literal["RUNNING", "PAUSED", "SUCCEEDED", "FAILED", "CLOSED", "CANCELLED"] | str | None = None,
        labels: Mapping[str, str] | None = None,
        since: datetime | str | float | None = None,
        until: datetime | str | float | None = None,
        limit: int = 50,
        cursor: str | None = None,
        prefix: str | None = None,
        largest: int | None = None,
        roots: bool = False,
        parent: str | None = None,
        contains: str | None = None,
    ) -> Object:
        """A page of executions, newest first: `executions`, and `next`, the cursor of the next page or None.

        workflow, status, labels: only executions that have all of these.
        since, until: only executions started at or after `since` and before `until`. Both take a datetime, ISO 8601
        text, or seconds since 1970.
        limit: the most executions in a page, 1 to 1000. A page ends early where its inputs and results would exceed
        about 4 MB: read on while `next` is not None.
        cursor: `next` of the page before, with the other arguments unchanged.
        prefix: only executions whose ids begin with this text. The execution whose whole id it is comes first.
        largest: values above this size, in bytes of JSON, are left out, and `omitted` names them.
        roots: True leaves out executions that are children of others.
        parent: only the children of this execution, also those that it has left or replaced: those of its latest run
        first, and those of each run by the ids of the commands that have started them. A page may be short, or hold a
        few more than `limit`.
        contains: only executions whose ids contain this text. A page looks at a bounded number of executions, so it
        may be short or empty: read on while `next` is not None.

        Raises InvalidRequest, and ExecutionNotFound where no execution has the id of the parent.
        """
        query: Object = {
            "workflow": workflow,
            "status": status,
            "label": [f"{key}={value}" for key, value in (labels or {}).items()],
            "since": moment(since),
            "until": moment(until),
            "prefix": prefix,
            "contains": contains,
            "largest": largest,
            "roots": "true" if roots else None,
            "parent": parent,
        }
        if parent is not None:  # children are in the deployment of their parent
            calls = self._stacks.holder(parent)
            return calls.get("/v1/executions", shapes.Executions, **query, limit=limit, cursor=cursor)
        place = Listed("/v1/executions", shapes.Executions, "executions", foremost=prefix)
        return self._stacks.page(place, query, limit, cursor)

    def workflows(self) -> Objects:
        """The workflows that the server knows, sorted by name: names, schemas and steps.

        Where there are several deployments, the first one is asked.
        """
        workflows: Objects = self._stacks.first.get("/v1/workflows", shapes.Workflows)["workflows"]
        return workflows

    def health(self) -> Object:
        """`status` and `version` of the server. This needs no API key.

        Where there are several deployments, all are asked and the first one's answer is returned. Raises Unreachable,
        which names the deployment that does not answer.
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
        """A page of FAILED executions, newest first: `dead_letters`, and `next`, the cursor of the next page or None.

        workflow: only executions of this workflow.
        error: only executions that failed with this type of error, such as "ConnectionError".
        limit: the most dead letters in a page, 1 to 1000. A page may hold fewer while more follow: read on while
        `next` is not None.
        cursor: `next` of the page before, with the other arguments unchanged.
        step: only executions that failed in the step of this name; "" for failures of the workflow's own code.

        Raises InvalidRequest.
        """
        place = Listed("/v1/dead-letters", shapes.DeadLetters, "dead_letters")
        return self._stacks.page(place, {"workflow": workflow, "step": step, "error": error}, limit, cursor)

    def dead_letter_groups(self, workflow: str | None = None) -> Object:
        """FAILED executions counted by workflow, step and error: `groups`, the largest group first.

        workflow: only executions of this workflow.

        `complete` is False when there are more FAILED executions than the server counts.
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
        """Resumes FAILED executions: those of `execution_ids`, those that match the filters, or all of them.

        execution_ids: the executions to resume, at most 1000.
        workflow, step, error: filters, as those of `dead_letters`.
        all: resumes every FAILED execution.
        rate: the most executions to resume in a second. None sets no limit.
        each: called with each outcome as soon as it is known, from the calling thread.

        Returns `resumed`, the number of resumed executions, and `results`, one outcome for each execution:
        `execution_id`, `resumed`, and `refused`, the reason why it was not resumed or None. The call returns when all
        executions have been handled. An execution that fails again meanwhile is not resumed a second time.
        Raises InvalidRequest unless exactly one of ids, filters and `all` is passed.
        """
        chosen = {"workflow": workflow, "step": step, "error": error, "rate": rate}
        body: Object = {key: value for key, value in chosen.items() if value is not None}
        if all:
            body["all"] = True
        shares = [(calls, body) for calls in self._stacks]
        if execution_ids is not None:
            shares = [(calls, {"execution_ids": ids, **body}) for calls, ids in self._stacks.shares(execution_ids)]
        results: Objects = []
        for calls, first in shares:
            for outcome in replayed(calls, first, rate):
                results.append(outcome)
                if each is not None:
                    each(outcome)
        return {"resumed": sum(outcome["resumed"] for outcome in results), "results": results}
