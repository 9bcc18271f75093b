"""Which requests have a line in the audit list, and what of them stands in it. No value of an execution does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from stepfast.engine import caller
from stepfast.engine.audit_store import AuditLine
from stepfast.engine.operations import Operations
from stepfast.errors import Misconfigured, Unavailable
from stepfast.http import problems
from stepfast.http.engine import EngineCaller

log = logging.getLogger(__name__)

AUDITED: dict[tuple[str, str], str] = {
    ("POST", "/v1/workflows/{workflow}/executions"): "start",
    ("POST", "/v1/executions/batch"): "start-batch",
    ("POST", "/v1/executions/{execution_id}/signals/{name}"): "signal",
    ("POST", "/v1/executions/{execution_id}/updates/{name}"): "update",
    ("POST", "/v1/executions/{execution_id}/resume"): "resume",
    ("POST", "/v1/executions/{execution_id}/commands/{command}/repair"): "repair",
    ("POST", "/v1/executions/{execution_id}/cancel"): "cancel",
    ("POST", "/v1/executions/{execution_id}/pause"): "pause",
    ("POST", "/v1/executions/{execution_id}/unpause"): "unpause",
    ("POST", "/v1/executions/{execution_id}/close"): "close",
    ("POST", "/v1/executions/{execution_id}/reopen"): "reopen",
    ("POST", "/v1/executions/{execution_id}/terminate"): "terminate",
    ("POST", "/v1/executions/{execution_id}/fork"): "fork",
    ("DELETE", "/v1/executions/{execution_id}"): "delete",
    ("POST", "/v1/workflows/{workflow}/pause"): "pause-workflow",
    ("POST", "/v1/workflows/{workflow}/unpause"): "unpause-workflow",
    ("POST", "/v1/jobs"): "start-job",
    ("POST", "/v1/jobs/{execution_id}/stop"): "stop-job",
    ("POST", "/v1/dead-letters/replay"): "replay-dead-letters",
    ("PUT", "/v1/limits/{name}"): "set-limit",
    ("DELETE", "/v1/limits/{name}"): "reset-limit",
    ("POST", "/v1/gates/{name}/close"): "close-gate",
    ("POST", "/v1/gates/{name}/open"): "open-gate",
    ("POST", "/v1/link-keys/rotate"): "rotate-link-keys",
    ("POST", "/v1/schedules/{name}/pause"): "pause-schedule",
    ("POST", "/v1/schedules/{name}/unpause"): "unpause-schedule",
    ("POST", "/v1/schedules/{name}/trigger"): "trigger-schedule",
    ("POST", "/v1/schedules/{name}/backfill"): "backfill-schedule",
    ("POST", "/v1/webhooks/{name}/redeliver"): "redeliver-webhook",
}
"""The action of each route that changes something."""
ANSWER_LINK, INBOUND_START = "answer-link", "start-by-webhook"
READ_ROUTES = frozenset({("POST", "/v1/executions/statuses"), ("POST", "/v1/executions/{execution_id}/queries/{name}")})
"""Routes that take a body, and change nothing."""
ROUTINE = frozenset({"start", "start-batch", INBOUND_START, "signal", "update"})
"""What applications do all day: it has lines only where the settings ask for them."""
KEY_ACTIONS = ("create-key", "revoke-key")
"""Of `stepfast keys`, which writes them straight into the table of a deployment (cli/audited_keys.py)."""
AUDIT_ACTIONS = frozenset({*AUDITED.values(), ANSWER_LINK, INBOUND_START, *KEY_ACTIONS})
_MAKES = frozenset({"start", "trigger-schedule", "fork", "start-job", "unpause-workflow"})
"""Actions that make an execution, whose id the answer has."""
Response = dict[str, Any]


class Auditing:
    """Puts a line before what changes something, and its outcome after it.

    The action is refused if the line cannot be written: nothing is done that the list does not have.
    """

    def __init__(self, operations: Operations, call: EngineCaller) -> None:
        self._operations, self._call = operations, call

    def request(
        self, route: tuple[str, str] | None, path: Mapping[str, str], body: Any, act: Callable[[], Response]
    ) -> Response:
        """The response of `act`, which answers a request of a route. path: its parameters. body: parsed."""
        action = AUDITED.get(route) if route is not None else None
        if action is None:
            return act()
        sent: Mapping[str, Any] = body if isinstance(body, dict) else {}
        target = path.get("name") or path.get("command") or path.get("workflow") or ""
        if action in ("start-job", "fork"):
            target = _text(sent, "action" if action == "start-job" else "execution_id")
        execution_id = path.get("execution_id") or _text(sent, "execution_id") or _text(sent, "job_id")
        lists = [
            each for each in (sent.get("starts"), sent.get("execution_ids"), sent.get("ids")) if isinstance(each, list)
        ]
        count = len(lists[0]) if lists else 0
        return self.line(action, act, execution_id, target, _text(sent, "why"), count)

    def line(
        self,
        action: str,
        act: Callable[[], Response],
        execution_id: str = "",
        target: str = "",
        why: str = "",
        count: int = 0,
        by: str | None = None,
    ) -> Response:
        """The response of `act`, which does what is about to stand in the list. by: the caller, if it has no key."""
        audit = self._operations.audit
        if not audit.settings.days or (action in ROUTINE and not audit.settings.routine):
            return act()
        line = self._call(audit.note(by or caller.who() or "", action, execution_id, target, why, count))
        try:
            response = act()
        except Exception as error:
            self._settle(line, problems.of(error).status_code)
            raise
        made = _made(response) if action in _MAKES and not execution_id else ""
        self._settle(line, int(response["statusCode"]), made)
        return response

    def _settle(self, line: AuditLine, status: int, execution_id: str = "") -> None:
        """Notes what came of an action that has taken effect. Where that fails, the line says `asked`."""
        try:
            self._call(self._operations.audit.settle(line, status, execution_id))
        except (Unavailable, Misconfigured) as error:
            log.warning("line %s of the audit list does not say what came of it: %s", line.id, error)


def _text(sent: Mapping[str, Any], name: str) -> str:
    value = sent.get(name)
    return value if isinstance(value, str) else ""


def _made(response: Response) -> str:
    if response["statusCode"] >= 300 or not response.get("body"):
        return ""
    made = json.loads(response["body"])
    return str(made.get("execution_id") or made.get("job_id") or "")
