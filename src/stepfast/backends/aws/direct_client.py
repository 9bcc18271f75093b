"""Clients of DynamoDB and SQS for the functions, which make most calls themselves and leave the rest to botocore.

botocore takes half a millisecond of a processor for a call, and a third of a cold start to be loaded. A direct client
has the same methods with the same parameters and answers for the calls that the functions make often. It sends the
request that botocore would send, once. It settles two kinds of answer by itself: success, and a write whose condition
or transaction was refused. After anything else, such as throttling, an error of the service or a broken connection,
it makes the same call with a real botocore client, which tries again by its own rules. All calls of the next minute are
left to that client as well. Any other method is botocore's, too.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from stepfast.backends.aws.direct_connection import DirectConnections, NoAnswer, RawAnswer
from stepfast.backends.aws.direct_signature import RequestSignature
from stepfast.backends.aws.errors import CANCELLED, CONDITION, CONFLICT

BOTOCORE_SECONDS = 60.0
"""How long botocore makes all calls after one that went wrong. Its adaptive retries need to see the calls."""
REFUSALS = frozenset({CONDITION, CANCELLED, CONFLICT})
"""Errors that are answers: botocore would not try them again either."""
TARGETS: Mapping[str, str] = MappingProxyType({"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"})
OPERATIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "dynamodb": {
            "batch_get_item": "BatchGetItem",
            "delete_item": "DeleteItem",
            "get_item": "GetItem",
            "put_item": "PutItem",
            "query": "Query",
            "scan": "Scan",
            "transact_write_items": "TransactWriteItems",
            "update_item": "UpdateItem",
        },
        "sqs": {
            "change_message_visibility": "ChangeMessageVisibility",
            "send_message": "SendMessage",
            "send_message_batch": "SendMessageBatch",
        },
    }
)
"""The methods that a direct client has itself, with AWS's name of the operation, by service."""
_MODE: Mapping[str, Mapping[str, str]] = MappingProxyType({"dynamodb": {}, "sqs": {"x-amzn-query-mode": "true"}})


class DirectClient:
    """A client of one service. Any thread may use it.

    botocore: makes the client that takes over. heard: called with each answer, as botocore's event `after-call`.
    """

    def __init__(
        self,
        service: str,
        host: str,
        connections: DirectConnections,
        signature: RequestSignature,
        botocore: Callable[[], Any],
        heard: Callable[..., None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service, self._connections, self._signature = service, connections, signature
        self._botocore, self._heard, self._monotonic = botocore, heard, monotonic
        self._signed = {"content-type": "application/x-amz-json-1.0", "host": host, **_MODE[service]}
        self._botocore_until = 0.0

    def __getattr__(self, name: str) -> Any:
        operation = OPERATIONS[self._service].get(name)
        if operation is None:
            return getattr(self._botocore(), name)
        method = _Method(self, name, operation)
        setattr(self, name, method)  # found without a search from now on
        return method

    def close(self) -> None:
        """Closes the connections, as the method of botocore's clients does."""
        self._connections.close()

    def call(self, name: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Makes a call: directly, or by the method `name` of botocore's client."""
        if operation == "TransactWriteItems":  # as botocore does: one that is sent twice is carried out once
            parameters.setdefault("ClientRequestToken", str(uuid4()))
        if self._monotonic() >= self._botocore_until:
            try:
                answer = self._answered(operation, json.dumps(parameters, default=_in_base64).encode())
            except NoAnswer:
                pass
            else:
                if self._heard is not None:
                    self._heard(http_response=answer)
                if answer.status == 200:
                    return _read(answer)
                if (refusal := _refusal(answer, operation)) is not None:
                    raise refusal
            self._botocore_until = self._monotonic() + BOTOCORE_SECONDS
        taken_over: dict[str, Any] = getattr(self._botocore(), name)(**parameters)
        return taken_over

    def _answered(self, operation: str, body: bytes) -> RawAnswer:
        signed = {**self._signed, "x-amz-target": f"{TARGETS[self._service]}.{operation}"}
        headers = {
            **signed,
            **self._signature.headers(signed, body, time.time()),
            "content-length": str(len(body)),
            "user-agent": "stepfast",
        }
        lines = "\r\n".join([f"{name}: {value}" for name, value in headers.items()])
        return self._connections.post(f"POST / HTTP/1.1\r\n{lines}", body)


class _Method:
    """One of a client's methods, which takes its parameters by name only."""

    __slots__ = ("_client", "_name", "_operation")

    def __init__(self, client: DirectClient, name: str, operation: str) -> None:
        self._client, self._name, self._operation = client, name, operation

    def __call__(self, **parameters: Any) -> dict[str, Any]:
        return self._client.call(self._name, self._operation, parameters)


def _in_base64(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    raise TypeError(f"AWS takes no {type(value).__name__}")


def _read(answer: RawAnswer) -> dict[str, Any]:
    """An answer as botocore would return it, without its ResponseMetadata."""
    if not answer.body:
        return {}
    read: dict[str, Any] = json.loads(answer.body, object_hook=_with_bytes if b'"B":' in answer.body else None)
    return read


def _with_bytes(read: dict[str, Any]) -> dict[str, Any]:
    """Binary attributes as bytes. A text under the name B is one: an attribute of that name has a typed value."""
    held = read.get("B")
    return {"B": base64.b64decode(held)} if isinstance(held, str) and len(read) == 1 else read


def _refusal(answer: RawAnswer, operation: str) -> ClientError | None:
    """The error that botocore would raise for a refused write; None for what botocore has to judge."""
    if answer.status != 400:
        return None
    try:
        fields = _read(answer)
    except ValueError:
        return None
    code = str(fields.pop("__type", "")).rpartition("#")[2]
    if code not in REFUSALS:
        return None
    message = fields.pop("message", None) or fields.pop("Message", "")
    metadata = {"HTTPStatusCode": answer.status, "HTTPHeaders": dict(answer.headers)}
    return ClientError({**fields, "Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, operation)
