"""Writes what a deployment of version 0.1 keeps of executions in every state: items, values in the bucket, messages.

Run with the code of that version, from the root of this repository:
`PYTHONPATH=<its src>:. python -m tests.upgrade.write_table > tests/upgrade/table-1.json`
"""

from __future__ import annotations

import base64
import importlib
import json
import zlib
from datetime import timedelta
from typing import Any

from moto.sqs.models import sqs_backends

from stepfast.testing import MotoCloud
from tests.upgrade import table_flows as flows

ACCOUNT = "123456789012"
resources: Any = importlib.import_module("stepfast.testing.cloud.resources")
"""Version 0.1 has it there."""


def packed(body: bytes) -> str:
    return base64.b64encode(zlib.compress(body, 9)).decode()


def held() -> dict[str, Any]:
    dynamodb, s3 = resources.client("dynamodb"), resources.client("s3")
    stored = dynamodb.scan(TableName="stepfast")["Items"]
    items = [item for item in stored if not item["pk"]["S"].startswith("k#")]
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    values = {key: packed(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys}
    queues = sqs_backends[ACCOUNT][dynamodb.meta.region_name].queues
    messages = {name: [message.body for message in queue._messages] for name, queue in queues.items()}
    return {"items": items, "values": values, "messages": messages}


def binary_as_text(value: Any) -> str:
    return base64.b64encode(value).decode()


def main() -> None:
    with MotoCloud(*flows.ALL) as cloud:

        def start(flow: Any, input: Any, id: str) -> None:
            cloud.start(flow, input, id, labels={"team": "finance"})

        def a_while(seconds: float) -> None:
            cloud.advance(timedelta(seconds=seconds))

        start(flows.short, "a", "done")
        start(flows.breaks, 2, "failed")
        start(flows.breaks, 3, "failed-again")
        start(flows.waits, "x", "waits")
        start(flows.waits, "y", "cancelled")
        start(flows.sleeps, 4, "sleeps")
        start(flows.retries, 5, "retries")
        start(flows.compensates, 8, "compensates")
        a_while(30)
        cloud.resume("failed-again")
        cloud.signal("waits", "later", {"early": True}, "early")
        cloud.cancel("cancelled")
        a_while(30)
        start(flows.blocks, 6, "blocked")
        start(flows.many, 7, "many")
        a_while(20)
        start(flows.sleeps, 9, "just-started")
        state = held()
        run = {item["pk"]["S"]: item for item in state["items"] if item["sk"]["S"] == "meta"}
        state["states"] = {key[2:]: item["stat"]["S"] for key, item in sorted(run.items())}
        state["at"] = cloud.now.isoformat()
    print(json.dumps(state, indent=1, sort_keys=True, default=binary_as_text))


if __name__ == "__main__":
    main()
