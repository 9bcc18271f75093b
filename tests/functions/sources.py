"""What the functions' sources send: requests, queue batches, stream records; and the samples in events/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parents[2] / "events"


def sample(name: str) -> Any:
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))


def http(
    method: str, path: str, body: Any = None, authorizer: Mapping[str, Any] | None = None, query: str = ""
) -> dict[str, Any]:
    """An event of the HTTP API; `authorizer` is what stands in its request context."""
    context: dict[str, Any] = {"http": {"method": method, "path": path}, "stage": "$default"}
    headers = {"host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"}
    event: dict[str, Any] = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query}
    if authorizer is not None:
        context["authorizer"] = authorizer
    if body is not None:
        headers["content-type"] = "application/json"
        event["body"] = json.dumps(body)
    return {**event, "headers": headers, "requestContext": context, "isBase64Encoded": False}


def as_record(message: Mapping[str, Any], receives: int | None = None, sent: float | None = None) -> dict[str, Any]:
    """A received message as Lambda shows it."""
    attributes = dict(message.get("Attributes", {}))
    attributes.setdefault("ApproximateReceiveCount", "1")
    if receives is not None:
        attributes["ApproximateReceiveCount"] = str(receives)
    attributes["SentTimestamp"] = str(int((sent if sent is not None else 1_795_359_607.0) * 1000))
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": attributes,
        "eventSource": "aws:sqs",
    }


def sqs(*records: Mapping[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def stream(*records: Mapping[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def change(number: int, name: str, pk: str, sk: str, image: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """A stream record."""
    keys = {"pk": {"S": pk}, "sk": {"S": sk}}
    change: dict[str, Any] = {"Keys": keys, "SequenceNumber": f"{number:021}"}
    if image is not None:
        change["NewImage"] = {**keys, **image}
    return {"eventID": str(number), "eventName": name, "eventSource": "aws:dynamodb", "dynamodb": change, **more}


def woken(number: int, execution_id: str, sk: str = "meta") -> Any:
    return change(number, "MODIFY", f"x#{execution_id}", sk, {"wake": {"N": "1"}})


def expired(number: int, execution_id: str, sk: str = "meta") -> Any:
    by_ttl = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return change(number, "REMOVE", f"x#{execution_id}", sk, userIdentity=by_ttl)


def failures(answer: Mapping[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
