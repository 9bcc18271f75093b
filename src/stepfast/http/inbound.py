"""`POST /v1/inbound/NAME`: webhooks of others that start a workflow, once for each event (rule *event*).

The signature is the access, so that no API key is asked for. A sender without a valid one learns nothing: an
unknown name, a wrong, an old and a missing signature get the same answer after the same work.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stepfast.engine.caller import called_from
from stepfast.engine.operations import Operations
from stepfast.errors import Unavailable
from stepfast.http import bodies, problems
from stepfast.http.auditing import INBOUND_START, Auditing
from stepfast.http.engine import EngineCaller
from stepfast.http.problems import Rejected
from stepfast.records import dataclass
from stepfast.webhook_signing import Scheme, event_id_in

__all__ = ["Inbound", "InboundWebhook", "is_inbound"]

Object = dict[str, Any]
PREFIX = "/v1/inbound/"
MAX_INBOUND_BYTES = 1024 * 1024
"""The largest body of a webhook."""
UNSIGNED = "webhook-refused"
"""The kind of problem of a webhook that is not signed as one that is taken."""
INBOUND_LABEL = "inbound"
"""The label of an execution that a webhook has started; its value is the name in the settings."""
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class InboundWebhook:
    """A sender whose webhooks start a workflow.

    keys: gives the keys by which its signatures are checked, at each request. tolerance: seconds.
    """

    name: str
    workflow: str
    scheme: Scheme
    tolerance: float
    keys: Callable[[], Sequence[bytes]]


def is_inbound(event: Mapping[str, Any]) -> bool:
    """Whether the request is a webhook of others, which needs no API key."""
    return str(event.get("rawPath") or "").startswith(PREFIX)


def execution_id_for(name: str, event_id: str) -> str:
    """The id of the execution that an event starts. No two events, and no two senders, have the same."""
    # A name has no full stop, so that the first one ends it. An id that is not plain, or is long, stands as its digest,
    # which is longer than every plain id.
    plain = event_id if _PLAIN_ID.fullmatch(event_id) else hashlib.sha256(event_id.encode()).hexdigest()
    return f"{name}.{plain}"


class Inbound:
    """Answers webhooks of others. call: runs a coroutine of the engine to its result, from any thread."""

    def __init__(
        self,
        operations: Operations,
        call: EngineCaller,
        webhooks: Iterable[InboundWebhook],
        auditing: Auditing,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._operations, self._call, self._auditing, self._now = operations, call, auditing, now
        self._webhooks = {webhook.name: webhook for webhook in webhooks}
        nobody = secrets.token_bytes(32)
        self._nobody = InboundWebhook("", "", "standard", 0.0, lambda: (nobody,))

    def answer(self, event: Mapping[str, Any]) -> Object:
        """A Lambda response; it never raises."""
        try:
            return self._start(event)
        except Exception as error:
            problem = problems.of(error)
            return _response(problem.status_code, problem.body or "", problem.headers, "application/problem+json")

    def _start(self, event: Mapping[str, Any]) -> Object:
        headers = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        method = str(((event.get("requestContext") or {}).get("http") or {}).get("method") or "").upper()
        if method != "POST":
            raise Rejected(405, "wrong-method", "Wrong method", "webhooks come by POST", {"Allow": "POST"})
        body = _body(event)
        name = str(event["rawPath"])[len(PREFIX) :]
        for known in self._webhooks.values():
            # The secrets of all are read if it is time, so that the time taken does not tell which names there are.
            with contextlib.suppress(Unavailable):
                known.keys()
        webhook = self._webhooks.get(name, self._nobody)
        event_id = event_id_in(webhook.scheme, webhook.keys(), headers, body, self._now(), webhook.tolerance)
        if event_id is None or webhook is self._nobody:
            raise Rejected(401, UNSIGNED, "Not taken", "this webhook is not signed as one that is taken here")
        execution_id = execution_id_for(webhook.name, event_id)
        sent = bodies.parse(body.decode(errors="replace"), False)

        def start() -> Object:
            labels = {INBOUND_LABEL: webhook.name}
            started = self._call(self._operations.start(webhook.workflow, sent, execution_id, labels))
            view = {"execution_id": started.execution.execution_id, "created": started.created}
            return _response(202 if started.created else 200, json.dumps(view))

        with called_from(None, f"inbound:{webhook.name}"):
            return self._auditing.line(INBOUND_START, start, execution_id, webhook.workflow)


def _body(event: Mapping[str, Any]) -> bytes:
    """The bytes that were sent, which the signature is of."""
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else str(text).encode(errors="surrogatepass")
    if len(body) > MAX_INBOUND_BYTES:
        raise Rejected(413, "body-too-large", "Body too large", f"a webhook may have {MAX_INBOUND_BYTES} bytes")
    return body


def _response(
    status: int, body: str, headers: Mapping[str, Any] | None = None, kind: str = "application/json"
) -> Object:
    return {
        "statusCode": status,
        "headers": {"Cache-Control": "no-store", **(headers or {}), "Content-Type": kind},
        "cookies": [],
        "body": body,
        "isBase64Encoded": False,
    }
