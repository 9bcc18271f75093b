"""Events of the deployed stack, under IAM: those that it sends, those that start workflows, and webhooks of others."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pytest

from stepfast.webhook_signing import headers_for
from tests.e2e.conftest import WEBHOOK_SECRET, Deployed, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def heard(deployed: Deployed) -> Any:
    """Hears what stepfast puts on the bus, in a queue of the test: a function that gives what has come since."""
    sqs, events = deployed.emulator.client("sqs"), deployed.emulator.client("events")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="heard", EventPattern=json.dumps({"source": ["stepfast"]}))
    events.put_targets(Rule="heard", Targets=[{"Id": "heard", "Arn": arn}])
    found: list[dict[str, Any]] = []

    def look() -> list[dict[str, Any]]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ()):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    yield look
    events.remove_targets(Rule="heard", Ids=["heard"])
    events.delete_rule(Name="heard")
    sqs.delete_queue(QueueUrl=url)


def test_the_changes_of_an_execution_reach_the_bus(deployed: Deployed, heard: Any) -> None:
    assert deployed.run("echoed", "told", "told-1")["status"] == "SUCCEEDED"

    def of_it() -> list[dict[str, Any]] | None:
        mine = {one["detail"]["id"]: one for one in heard() if one["detail"]["data"]["execution_id"] == "told-1"}
        return [*mine.values()] if len(mine) == 2 else None

    started, ended = eventually(of_it, "two events on the bus")
    assert (started["detail-type"], ended["detail-type"]) == ("execution.started", "execution.succeeded")
    assert (ended["source"], ended["detail"]["data"]["workflow"]) == ("stepfast", "echoed")
    assert ended["resources"][0].endswith(f"table/{deployed.outputs['TableName']}")


def test_an_event_that_fits_a_rule_starts_its_workflow_once(deployed: Deployed) -> None:
    events = deployed.emulator.client("events")

    def put(kind: str, value: str) -> str:
        detail = json.dumps({"value": value})
        entry = {"Source": "shop.payments", "DetailType": kind, "Detail": detail}
        (answer,) = events.put_events(Entries=[entry])["Entries"]
        return str(answer["EventId"])

    other, paid = put("order.cancelled", "no"), put("order.paid", 'yes, "quoted"')
    url = f"/v1/executions/paid.{paid}"
    eventually(lambda: deployed.http.get(url).is_success, "the event to start its workflow")
    ended = deployed.wait(f"paid.{paid}")
    assert (ended["status"], ended["labels"]) == ("SUCCEEDED", {"rule": "paid"})
    assert ended["result"] == {"value": 'yes, "quoted"'}
    assert deployed.http.get(f"/v1/executions/paid.{other}").status_code == 404


def test_a_signed_webhook_starts_its_workflow_and_one_that_is_not_starts_nothing(deployed: Deployed) -> None:
    body = json.dumps({"value": "signed"}).encode()
    key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    with deployed.emulator.http(deployed.outputs) as nobody:  # without a key of the API

        def post(headers: dict[str, str]) -> httpx.Response:
            return nobody.post(
                "/v1/inbound/shop", content=body, headers={"content-type": "application/json", **headers}
            )

        right = headers_for((key,), "msg_1", int(time.time()), body)
        taken = post(right)
        assert (taken.status_code, taken.json()) == (202, {"execution_id": "shop.msg_1", "created": True})
        assert post(right).status_code == 200
        assert post(right | {"webhook-id": "msg_2"}).status_code == 401
        assert post({}).status_code == 401
        assert nobody.get("/v1/executions").status_code in (401, 403)
    assert deployed.wait("shop.msg_1")["result"] == {"value": "signed"}
