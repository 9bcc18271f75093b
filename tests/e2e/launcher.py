"""Starts ministack, under its own Python, with what it lacks for this stack added.

What 1.5.33 lacks, and what is done about it:

- The condition key dynamodb:LeadingKeys: added here, so that the roles' real policies are enforced.
- The condition key events:source: added here, for the role that puts events on a bus.
- The condition keys kms:EncryptionContext:…: added here, so that a data key can be bound to its execution.
- SQS's batch calls as what they are to IAM, the single ones (there is no action sqs:SendMessageBatch): mended here.
- Alarms on metric math: taken as alarms on the first of their metrics; nothing here raises alarms.
- Unpacking once: each worker would unpack the bundle for itself, thousands of files that take seconds to write.
- ReportBatchItemFailures on stream mappings: a batch whose answer names failures counts as done. Nothing is
  done about it: such records are brought back by the sweep.
- Bisect and retry limits on stream mappings, StartMessageMoveTask, Scheduler below 10 s: tests do without, and
  redrive a dead letter as the console does, by receiving, sending to the source queue and deleting.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def partition_keys(request: dict[str, Any]) -> list[str]:
    """The partitions that a DynamoDB request names, as AWS puts them into dynamodb:LeadingKeys."""
    return [next(iter(value.values())) for value in _values(request)]


def _values(request: dict[str, Any]) -> Iterator[dict[str, str]]:
    for holder in ("Key", "Item"):
        if holder in request:
            yield request[holder]["pk"]
    for asked in request.get("RequestItems", {}).values():
        if isinstance(asked, dict):
            yield from (key["pk"] for key in asked["Keys"])
        else:
            for one in asked:
                yield one["PutRequest"]["Item"]["pk"] if "PutRequest" in one else one["DeleteRequest"]["Key"]["pk"]
    for one in request.get("TransactItems", ()):
        for detail in one.values():
            yield detail["Item"]["pk"] if "Item" in detail else detail["Key"]["pk"]
    if "KeyConditionExpression" in request:
        yield _of_query(request)


def _of_query(request: dict[str, Any]) -> dict[str, str]:
    """The value that the hash key, `pk` or `list_pk`, is compared with."""
    names = request.get("ExpressionAttributeNames", {})
    for part in request["KeyConditionExpression"].replace("(", " ").replace(")", " ").split(" AND "):
        words = part.replace("=", " = ").split()
        if len(words) == 3 and names.get(words[0], words[0]) in ("pk", "list_pk") and words[1] == "=":
            value: dict[str, str] = request["ExpressionAttributeValues"][words[2]]
            return value
    raise AssertionError(f"no partition in {request['KeyConditionExpression']}")


def add_leading_keys() -> None:
    from ministack.core import iam_actions

    without = iam_actions.dynamodb_service_context

    def with_leading_keys(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = without(body)
        try:
            keys = partition_keys(json.loads(body or b"{}"))
        except (ValueError, KeyError, AssertionError):
            keys = []
        return {**context, "dynamodb:LeadingKeys": sorted(set(keys))} if keys else context

    iam_actions.dynamodb_service_context = with_leading_keys


def add_event_sources() -> None:
    from ministack.core import iam_actions

    without = iam_actions.request_tag_context

    def with_sources(service: str, action: str, body: bytes, *rest: Any) -> dict[str, Any]:
        context: dict[str, Any] = without(service, action, body, *rest)
        if action != "events:PutEvents":
            return context
        return {**context, "events:source": sorted({entry["Source"] for entry in json.loads(body)["Entries"]})}

    iam_actions.request_tag_context = with_sources


def add_encryption_context() -> None:
    from ministack.core import iam_actions

    without = iam_actions.request_tag_context

    def with_encryption_context(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = without(service, iam_action, body, params)
        if service == "kms":
            named = json.loads(body or b"{}").get("EncryptionContext", {})
            context |= {f"kms:EncryptionContext:{name}": value for name, value in named.items()}
        return context

    iam_actions.request_tag_context = with_encryption_context


def name_batch_calls_as_iam_does() -> None:
    from ministack.core import iam_actions

    literal = iam_actions.extract_iam_action

    def as_iam(service: str, *rest: Any) -> str | None:
        action: str | None = literal(service, *rest)
        return action.removesuffix("Batch") if service == "sqs" and action else action

    iam_actions.extract_iam_action = as_iam


def take_metric_math() -> None:
    from ministack.services.cloudformation import provisioners

    strict = provisioners._cw_metric_alarm_record

    def lenient(name: str, properties: dict[str, Any]) -> Any:
        metrics = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", ()) if "MetricStat" in one]
        if metrics:
            first = {name: metrics[0][name] for name in ("MetricName", "Namespace")}
            properties = {**properties, **first, "Metrics": None, "Statistic": "Sum", "Period": 300}
        return strict(name, properties)

    provisioners._cw_metric_alarm_record = lenient


def unpack_once() -> None:
    from ministack.core import lambda_runtime

    class Unpacked(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            assert self.filename is not None
            digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
            shared = Path(tempfile.gettempdir()) / f"unpacked-{digest[:16]}"
            with _unpacking:
                if not shared.is_dir():
                    super().extractall(shared)
            Path(path).rmdir()
            Path(path).symlink_to(shared)

    lambda_runtime.zipfile = types.SimpleNamespace(ZipFile=Unpacked, BadZipFile=zipfile.BadZipFile)


_unpacking = threading.Lock()


def listen_without_tls_too(address: str) -> None:
    """For programs that trust no certificate of ours; the CDK's own calls need TLS."""
    from hypercorn.config import Config

    Config._insecure_bind = [address]


if __name__ == "__main__":
    if "WITHOUT_TLS" in os.environ:
        listen_without_tls_too(os.environ.pop("WITHOUT_TLS"))
    add_leading_keys()
    add_event_sources()
    add_encryption_context()
    name_batch_calls_as_iam_does()
    take_metric_math()
    unpack_once()
    from ministack.app import main

    main()
