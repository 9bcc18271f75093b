"""The function that sends changes of status to a bus: what it puts, what it puts off, and what it asks for again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stepfast.backends.aws.batches import BATCH_ENTRIES
from stepfast.backends.aws.event_bus import BusEvent
from stepfast.engine.status_changes import StatusChange
from stepfast.functions.clients import Clients
from stepfast.functions.entry import Failed
from tests.functions.conftest import Aws, away
from tests.functions.sources import sample, sqs

NOW = 1_795_359_609.0
CHANGE = StatusChange(
    "order-1001",
    "order-fulfilment",
    1,
    0,
    "RUNNING",
    "FAILED",
    NOW,
    {"team": "billing"},
    None,
    "CardDeclined",
    "charge",
)


class RefusingBus:
    """EventBridge as far as the function calls it: refuses the entries whose execution is among `refused`."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.refused: dict[str, int] = {}

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(Entries)
        answers = [self._answer(json.loads(entry["Detail"])["data"]["execution_id"]) for entry in Entries]
        return {"Entries": answers, "FailedEntryCount": sum("ErrorCode" in answer for answer in answers)}

    def _answer(self, execution_id: str) -> dict[str, str]:
        if self.refused.get(execution_id, 0) > 0:
            self.refused[execution_id] -= 1
            return {"ErrorCode": "ThrottlingException", "ErrorMessage": "later"}
        return {"EventId": "1"}

    def put(self) -> list[str]:
        return [json.loads(entry["Detail"])["data"]["execution_id"] for call in self.calls for entry in call]


class Sending:
    """The function on a bus of this kind, and the queue of what waits."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.bus = aws, RefusingBus()
        self.queue = aws.clients.sqs.create_queue(QueueName="events")["QueueUrl"]
        clients = Clients(events=self.bus, sqs=aws.clients.sqs)
        aws.clock.time = NOW
        self.call = aws.build(
            "events", clients, event_bus="orders", event_queue=self.queue, undelivered=aws.url("stepfast-undelivered")
        )

    def waiting(self) -> list[str]:
        answer = self.aws.clients.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", ())]


@pytest.fixture
def sending(deploy: Callable[..., Aws]) -> Sending:
    return Sending(deploy())


def records(*ids: str, **changed: Any) -> dict[str, Any]:
    """The sample for each of these executions."""
    made = []
    for number, id in enumerate(ids):
        (record,) = sample("events.json")["Records"]
        change = record["dynamodb"]
        change["Keys"]["pk"] = change["NewImage"]["pk"] = {"S": f"x#{id}"}
        change["SequenceNumber"] = f"{number:021}"
        change["NewImage"] |= changed
        made.append(record)
    return {"Records": made}


def again(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_the_sample_is_put_with_what_a_webhook_would_tell(sending: Sending) -> None:
    assert sending.call(sample("events.json")) == {"batchItemFailures": []}
    ((entry,),) = sending.bus.calls
    assert json.loads(entry["Detail"]) == {"id": CHANGE.id, **CHANGE.event()}
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == ("orders", "stepfast", "execution.failed")
    assert entry["Time"].timestamp() == NOW
    assert entry["Resources"] == ["arn:aws:dynamodb:eu-central-1:123456789012:table/stepfast"]


def test_a_record_that_is_no_change_puts_nothing(sending: Sending) -> None:
    quiet = records("one", came=None)
    del quiet["Records"][0]["dynamodb"]["NewImage"]["came"]
    own = records("two", flow={"S": "stepfast.map"})
    assert sending.call({"Records": [*quiet["Records"], *own["Records"]]}) == {"batchItemFailures": []}
    assert sending.bus.calls == []


def test_no_call_has_more_entries_than_the_bus_takes(sending: Sending) -> None:
    ids = [f"order-{number}" for number in range(25)]
    assert again(sending.call(records(*ids))) == []
    assert [len(call) for call in sending.bus.calls] == [BATCH_ENTRIES, BATCH_ENTRIES, 5]
    assert sending.bus.put() == ids


def test_of_a_call_what_was_refused_is_put_again_and_nothing_else(sending: Sending) -> None:
    sending.bus.refused = {"b": 1}
    assert again(sending.call(records("a", "b", "c"))) == []
    assert sending.bus.put() == ["a", "b", "c", "b"]
    assert sending.waiting() == []


def test_what_is_refused_again_and_again_waits_in_the_queue_and_is_put_from_there(sending: Sending) -> None:
    sending.bus.refused = {"b": 5}
    assert again(sending.call(records("a", "b"))) == []
    (body,) = sending.waiting()
    messages = sqs({"messageId": "m-1", "body": body, "eventSource": "aws:sqs", "attributes": {}})
    assert again(sending.call(messages)) == []  # two refusals are left
    assert sending.bus.put() == ["a", "b", "b", "b", "b", "b", "b"]
    first, last = sending.bus.calls[0][1], sending.bus.calls[-1][0]
    assert first == last, "the event is the same, its id too"


def test_while_the_bus_refuses_a_message_stays_in_the_queue_and_one_that_is_no_event_does_too(sending: Sending) -> None:
    sending.bus.refused = {"order-1001": 99}
    text = BusEvent.of(CHANGE, "table").as_text()
    bodies = {"event": text, "junk": "junk", "other": json.dumps({"start": {}})}
    messages = [{"messageId": id, "body": body, "eventSource": "aws:sqs"} for id, body in bodies.items()]
    assert sorted(again(sending.call(sqs(*messages)))) == ["event", "junk", "other"]


def test_if_the_queue_is_away_too_all_records_come_again(sending: Sending) -> None:
    sending.bus.refused = {"a": 99}
    with away(sending.aws.clients.sqs, "SendMessageBatch"), pytest.raises(Failed):
        sending.call(records("a"))


def test_a_record_that_cannot_be_read_comes_again_and_is_given_up_after_a_minute(
    sending: Sending, caplog: pytest.LogCaptureFixture
) -> None:
    event = records("a", "b", "c")
    event["Records"][1]["dynamodb"]["NewImage"] |= {"v": {"N": "99"}, "output": {"S": "a secret"}}
    assert again(sending.call(event)) == [f"{1:021}"]
    assert sending.bus.put() == ["a"]
    sending.aws.clock.time = NOW + 61
    assert again(sending.call(event)) == []
    assert sending.bus.put() == ["a", "a", "c"]
    (notice,) = sending.aws.waiting("stepfast-undelivered")
    assert notice == {"execution_id": "b", "function": "events", "error": "Misconfigured"}
    assert "a secret" not in caplog.text
