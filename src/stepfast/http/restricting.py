"""What callers may see whose key is limited: which executions, and whether their values.

A limited key gets at a route only as RULES says: a route that has no rule is refused. An execution that the key is not
for does not exist for its caller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Literal

from stepfast.engine.ports import Query
from stepfast.errors import PROBLEM_URN, ExecutionNotFound, UnknownWorkflow
from stepfast.http.auth import EVERYTHING, Grant
from stepfast.http.patterns import ID
from stepfast.http.problems import Rejected
from stepfast.language.registry import Registry
from stepfast.model import Execution
from stepfast.restriction import Restriction

Rule = Literal["open", "execution", "filtered", "refused"]
"""Open: for any key. Execution: if the key is for the execution in the path. Filtered: the route looks by itself."""

RULES: dict[tuple[str, str], Rule] = {
    ("POST", "/v1/workflows/{workflow}/executions"): "filtered",
    ("POST", "/v1/executions/batch"): "filtered",
    ("GET", "/v1/executions"): "filtered",
    ("POST", "/v1/executions/statuses"): "filtered",
    ("GET", "/v1/executions/{execution_id}"): "execution",
    ("GET", "/v1/executions/{execution_id}/commands"): "execution",
    ("GET", "/v1/executions/{execution_id}/items"): "execution",
    ("GET", "/v1/executions/{execution_id}/runs"): "execution",
    ("GET", "/v1/executions/{execution_id}/waits"): "execution",
    ("GET", "/v1/executions/{execution_id}/links"): "execution",
    ("GET", "/v1/executions/{execution_id}/events"): "execution",
    ("GET", "/v1/executions/{execution_id}/history"): "execution",
    ("POST", "/v1/executions/{execution_id}/signals/{name}"): "execution",
    ("POST", "/v1/executions/{execution_id}/resume"): "execution",
    ("POST", "/v1/executions/{execution_id}/commands/{command}/repair"): "execution",
    ("POST", "/v1/executions/{execution_id}/cancel"): "execution",
    ("POST", "/v1/executions/{execution_id}/pause"): "execution",
    ("POST", "/v1/executions/{execution_id}/unpause"): "execution",
    ("POST", "/v1/executions/{execution_id}/close"): "execution",
    ("POST", "/v1/executions/{execution_id}/reopen"): "execution",
    ("POST", "/v1/executions/{execution_id}/terminate"): "execution",
    ("DELETE", "/v1/executions/{execution_id}"): "execution",
    ("GET", "/v1/executions/{execution_id}/handlers"): "execution",
    ("POST", "/v1/executions/{execution_id}/queries/{name}"): "execution",
    ("POST", "/v1/executions/{execution_id}/updates/{name}"): "execution",
    ("GET", "/v1/executions/{execution_id}/updates/{update_id}"): "execution",
    ("GET", "/v1/executions/{execution_id}/recording"): "execution",
    ("GET", "/v1/executions/{execution_id}/recording/value"): "execution",
    ("GET", "/v1/dead-letters"): "filtered",
    ("GET", "/v1/workflows"): "filtered",
    ("GET", "/v1/health"): "open",
    ("GET", "/openapi.json"): "open",
    # These tell of all executions together, or act on them.
    ("POST", "/v1/executions/{execution_id}/fork"): "refused",  # its labels may be those of others
    ("POST", "/v1/jobs"): "refused",
    ("GET", "/v1/jobs"): "refused",
    ("GET", "/v1/jobs/{execution_id}"): "refused",
    ("GET", "/v1/jobs/{execution_id}/report"): "refused",
    ("POST", "/v1/jobs/{execution_id}/stop"): "refused",
    ("GET", "/v1/dead-letters/groups"): "refused",
    ("POST", "/v1/dead-letters/replay"): "refused",
    ("GET", "/v1/workflows/{workflow}/figures"): "refused",
    ("POST", "/v1/workflows/{workflow}/pause"): "refused",
    ("POST", "/v1/workflows/{workflow}/unpause"): "refused",
    ("GET", "/v1/limits"): "refused",
    ("GET", "/v1/limits/{name}"): "refused",
    ("PUT", "/v1/limits/{name}"): "refused",
    ("DELETE", "/v1/limits/{name}"): "refused",
    ("GET", "/v1/gates"): "refused",
    ("POST", "/v1/gates/{name}/close"): "refused",
    ("POST", "/v1/gates/{name}/open"): "refused",
    ("GET", "/v1/link-keys"): "refused",
    ("POST", "/v1/link-keys/rotate"): "refused",
    ("GET", "/v1/schedules"): "refused",
    ("GET", "/v1/schedules/{name}"): "refused",
    ("POST", "/v1/schedules/{name}/pause"): "refused",
    ("POST", "/v1/schedules/{name}/unpause"): "refused",
    ("POST", "/v1/schedules/{name}/trigger"): "refused",
    ("POST", "/v1/schedules/{name}/backfill"): "refused",
    ("GET", "/v1/audit"): "refused",
    ("GET", "/v1/webhooks"): "refused",
    ("GET", "/v1/webhooks/{name}"): "refused",
    ("GET", "/v1/webhooks/{name}/dead-letters"): "refused",
    ("POST", "/v1/webhooks/{name}/redeliver"): "refused",
}

_grant: ContextVar[Grant] = ContextVar("stepfast_grant", default=EVERYTHING)
Find = Callable[[str], Execution | None]
"""Reads an execution without its values; None if there is none."""


@contextmanager
def granted_to(grant: Grant) -> Iterator[None]:
    """Requests that are answered inside are of a caller who may do this."""
    token = _grant.set(grant)
    try:
        yield
    finally:
        _grant.reset(token)


def current() -> Grant:
    """What the caller of the request that is answered may do."""
    return _grant.get()


def restriction() -> Restriction:
    """What the caller of the request that is answered is limited to."""
    return _grant.get().restriction


def check(rule: Rule | None, path: Mapping[str, str], find: Find) -> None:
    """Raises Rejected or ExecutionNotFound for a request that is not for a limited key.

    path: the parameters in the request's path.
    """
    limits = restriction()
    if not limits or rule in ("open", "filtered"):
        return
    if rule != "execution":
        detail = "this key is limited to some workflows or labels: use one that is not, since this concerns others too"
        raise Rejected(403, "key-limited", "Not with a limited key", detail)
    execution_id = path["execution_id"]
    if re.fullmatch(ID, execution_id):  # any other id is refused by the route as one that nothing can have
        execution = find(execution_id)
        if execution is None or not limits.takes(execution.workflow, execution.labels):
            raise ExecutionNotFound(f"no execution has the id {execution_id!r}")


def narrowed(query: Query, find: Find) -> Query | None:
    """The query as far as the caller may see its executions; None where that is none at all."""
    limits = restriction()
    if not limits:
        return query
    if query.parent is not None:
        check("execution", {"execution_id": query.parent}, find)
    if any(query.labels.get(key, value) != value for key, value in limits.labels.items()):
        return None
    return replace(query, labels={**query.labels, **limits.labels}, patterns=limits.workflows)


def takes(execution: Execution) -> bool:
    """Whether the caller may see an execution."""
    return restriction().takes(execution.workflow, execution.labels)


def labels_of_start(workflow: str, labels: Mapping[str, str], registry: Registry) -> dict[str, str]:
    """The labels of a start by the caller: those that it asks for, and those of its key.

    Raises UnknownWorkflow for a workflow that the key is not for, as for one that does not exist, and Rejected.
    """
    limits = restriction()
    if limits and (not limits.takes_workflow(workflow) or registry.get(workflow) is None):
        raise UnknownWorkflow(f"no workflow is named {workflow!r}")
    for key, value in limits.labels.items():
        if labels.get(key, value) != value:
            detail = f"this key starts only executions with the label {key}={value}: leave the label out, or send this"
            raise Rejected(403, "key-limited", "Not with a limited key", detail)
    definition = registry.get(workflow)
    if limits.labels and definition is not None and definition.starts is not None:
        detail = (
            f"workflow {workflow!r} has start options, by which a start may act on an execution with other labels: "
            "use a key that is not limited to labels"
        )
        raise Rejected(403, "key-limited", "Not with a limited key", detail)
    return {**labels, **limits.labels}


def taken() -> Rejected:
    """The answer to a start under an id that an execution of others has: ids are one name space for all."""
    return Rejected(409, "execution-conflict", "The id is taken", TAKEN)


TAKEN = "this id is taken: use another id"


# -- values --------------------------------------------------------------------------------------------------------

WITHHELD = "withheld: this key may not read values"
_VALUES = frozenset(
    {"input", "result", "output", "payload", "traceback", "label", "key", "reason", "not_taken", "progress", "cause"}
    | {"status_value", "answer"}
)
"""Members of answers that hold values, or texts made of them. An error's message is one, too."""
_EVENT = frozenset(
    {"at", "type", "command", "workflow", "run", "generation", "attempt", "next_at", "signal_id", "name", "by", "why"}
    | {"parent", "error", "id", "kind", "status", "at", "ended_at", "labels"}
)
"""What is shown of an event. Anything else may hold a value."""
_NO_VALUES = (("GET", "/v1/workflows"), ("GET", "/openapi.json"), ("GET", "/v1/health"))
"""Routes whose answers tell of the code alone. Their schemas have names of members that others have for values."""


_NOTHING_BUT_VALUES = (
    ("GET", "/v1/executions/{execution_id}/recording"),
    ("GET", "/v1/executions/{execution_id}/recording/value"),
)
"""Routes that are of no use without values."""


def without_values(route: tuple[str, str] | None, response: dict[str, Any]) -> dict[str, Any]:
    """The response without values, if the caller may not read them."""
    grant, body = current(), response.get("body")
    if not body or (grant.reads_values and not grant.restriction) or route in _NO_VALUES:
        return response
    if response["statusCode"] >= 400:
        return {**response, "body": json.dumps(discreet(json.loads(body)))}
    if grant.reads_values:
        return response
    if route in _NOTHING_BUT_VALUES:
        raise Rejected(403, "values-withheld", "Not with this key", WITHHELD)
    try:
        shown = _withheld(json.loads(body))
    except ValueError as error:
        raise Rejected(403, "values-withheld", "Not with this key", WITHHELD) from error
    headers = {**response["headers"], "Stepfast-Values": "withheld"}
    return {**response, "headers": headers, "body": json.dumps(shown)}


def discreet(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem for the caller. A conflict tells what an id stands for: another workflow, or another input."""
    grant = current()
    limited = grant.restriction or not grant.reads_values
    if not limited or problem.get("type") != f"{PROBLEM_URN}execution-conflict":
        return problem
    return {**problem, "detail": TAKEN}


def _withheld(value: Any, name: str = "") -> Any:
    if isinstance(value, list):
        return [_withheld(item, name) for item in value]
    if not isinstance(value, dict) or name in ("labels", "problem"):
        return value
    shown = value
    if name == "events":
        shown = {member: held for member, held in value.items() if member in _EVENT}
    left = {member: held for member, held in shown.items() if member in _VALUES and held not in (None, [], "")}
    shown = {member: _shown(member, held, left) for member, held in shown.items()}
    if "omitted" in shown:
        shown["omitted"] = dict.fromkeys((*value["omitted"], *(left.keys() & {"input", "result", "output"})))
    return shown


def _shown(member: str, held: Any, left: Mapping[str, Any]) -> Any:
    if member == "message" and held:
        return WITHHELD
    if member in left:
        return [] if isinstance(held, list) else None
    return _withheld(held, member)
