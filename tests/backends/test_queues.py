"""Messages on SQS and in schedules: to the right queue, at the right time, none lost and none half sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfast.backends.aws.errors import Misconfigured
from stepfast.backends.aws.messages import MAX_INPUT, ForeignMessage, Posted, body_of, posted_in
from stepfast.backends.aws.scheduler import queue_arn, schedule_name
from stepfast.backends.aws.sqs import SqsQueue
from stepfast.engine.limit_items import LimitId, Permit
from stepfast.engine.messages import Hint, Message
from stepfast.errors import Unavailable
from stepfast.model import Cursor, Execution, OrderEntry
from stepfast.replay.commands import Command
from tests.backends.cloud import GROUP, ROLE, Cloud, shared_client
from tests.backends.wire import Wire
from tests.properties.test_store_machine import MESSAGES, TIMES

STEP = Message("step", "one", "pay", 0, "pdf")
TIMER = Message("timer", "one", ":timer", 2)
PARK = Message("park", "one", "", 1)
NOW = 1_790_000_000.25


# -- bodies ----------------------------------------------------------------------------------------------


@given(MESSAGES, st.none() | TIMES, TIMES)
def test_a_message_comes_back_from_its_body(message: Message, due: float | None, now: float) -> None:
    body = body_of(message, due, now)
    assert "\n" not in body
    assert posted_in(body) == Posted(message, due, now)


HINT = Hint("pay", '{"amount":7}', NOW, 3, "seal")


def test_a_body_says_what_is_meant_and_nothing_else() -> None:
    assert json.loads(body_of(STEP, 7.5, NOW)) == {
        "v": 1, "kind": "step", "execution": "one", "command": "pay", "generation": 0, "pool": "pdf", "due": 7.5,
        "sent": NOW,
    }  # fmt: skip


@pytest.mark.parametrize("hint", [HINT, replace(HINT, order=None, seal=""), replace(HINT, input="x" * MAX_INPUT)])
def test_a_hint_travels_in_the_body_but_for_the_command_itself(hint: Hint) -> None:
    command = Command("pay", "step", "pay", None)
    posted = posted_in(body_of(replace(STEP, hint=replace(hint, command=command)), None, NOW)).message
    assert posted == STEP
    assert posted.hint is not None
    assert [getattr(posted.hint, name) for name in ("name", "input", "issued_at", "order", "seal", "command")] == [
        "pay", hint.input, NOW, hint.order, hint.seal, None,
    ]  # fmt: skip


def test_a_long_input_does_not_travel() -> None:
    assert (
        posted_in(body_of(replace(STEP, hint=replace(HINT, input="x" * (MAX_INPUT + 1))), None, NOW)).message.hint
        is None
    )


@pytest.mark.parametrize(
    "ask", [5, "pay", [], ["pay"], ["pay", 5, NOW, 3, ""], ["pay", "{}", "now", 3, ""], {"name": 1}]
)
def test_an_ask_that_is_none_leaves_a_message_without_a_hint(ask: object) -> None:
    posted = posted_in(json.dumps(json.loads(body_of(STEP, None, NOW)) | {"ask": ask})).message
    assert (posted, posted.hint) == (STEP, None)


def test_a_message_without_a_due_time_has_none() -> None:
    assert "due" not in json.loads(body_of(STEP, None, NOW))


OURS = json.loads(body_of(STEP, None, NOW))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "null",
        '"v"',
        "[" * 100_000,
        json.dumps({"order": 17}),
        json.dumps(OURS | {"kind": "other"}),
        json.dumps(OURS | {"kind": ["step"]}),
        json.dumps(OURS | {"execution": 5}),
        json.dumps(OURS | {"generation": "0"}),
        json.dumps(OURS | {"generation": True}),
        json.dumps(OURS | {"due": "soon"}),
        json.dumps(OURS | {"due": float("nan")}),
        json.dumps(OURS | {"pool": None}),
        json.dumps(OURS | {"v": None}),
        json.dumps({key: value for key, value in OURS.items() if key != "command"}),
    ],
)
def test_a_body_of_someone_else_is_refused_and_not_told(body: str) -> None:
    with pytest.raises(ForeignMessage) as caught:
        posted_in(body)
    assert "order" not in str(caught.value)


def test_a_body_of_a_newer_stepfast_is_refused_and_one_with_more_in_it_read() -> None:
    with pytest.raises(ForeignMessage, match="newer stepfast.*deploy"):
        posted_in(json.dumps(OURS | {"v": 2}))
    assert posted_in(json.dumps(OURS | {"later": 1})).message == STEP


# -- queues ----------------------------------------------------------------------------------------------


@pytest.fixture
def sending(hooked: Cloud, wire: Wire) -> Cloud:
    hooked.clock.time = NOW
    return hooked


def sent(wire: Wire) -> list[tuple[str, Any, Any]]:
    """(queue or schedule, delay or time, message) of each message that was sent."""
    found = []
    for call in wire.take():
        for entry in call.params.get("Entries", []):
            message = posted_in(entry["MessageBody"]).message
            found.append((call.params["QueueUrl"].rpartition("/")[2], entry["DelaySeconds"], message))
        if call.operation == "CreateSchedule":
            target = call.params["Target"]
            message = posted_in(target["Input"]).message
            found.append((target["Arn"].rpartition(":")[2], call.params["ScheduleExpression"], message))
    return found


def test_each_kind_and_pool_has_its_queue(sending: Cloud, wire: Wire) -> None:
    sending.run(sending.queue.send([(STEP, None), (replace(STEP, pool="default"), None), (TIMER, None), (PARK, None)]))
    assert sent(wire) == [
        ("stepfast-pdf", 0, STEP),
        ("stepfast-default", 0, replace(STEP, pool="default")),
        ("stepfast-t", 0, TIMER),
        ("stepfast-p", 0, PARK),
    ]


@pytest.mark.parametrize(
    ("after", "delay"), [(-50.0, 0), (0.0, 0), (0.001, 1), (59.5, 60), (899.001, 900), (900.0, 900)]
)
@pytest.mark.parametrize(("message", "queue"), [(STEP, "stepfast-pdf"), (TIMER, "stepfast-t")])
def test_up_to_15_minutes_the_queue_waits(
    sending: Cloud, wire: Wire, message: Message, queue: str, after: float, delay: int
) -> None:
    sending.run(sending.queue.send([(message, NOW + after)]))
    assert sent(wire) == [(queue, delay, message)]


@pytest.mark.parametrize("after", [900.5, 3 * 86400.0])
@pytest.mark.parametrize(("message", "queue"), [(STEP, "stepfast-pdf"), (TIMER, "stepfast-t")])
def test_beyond_15_minutes_a_schedule_waits_and_fires_a_minute_early(
    sending: Cloud, wire: Wire, message: Message, queue: str, after: float
) -> None:
    sending.run(sending.queue.send([(message, NOW + after)]))
    ((to, at, what),) = sent(wire)
    assert (to, what) == (queue, message)
    due = datetime.strptime(at, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC).timestamp()
    assert NOW + after - 61 < due <= NOW + after - 60
    name = schedule_name(message, NOW + after)
    made = shared_client("scheduler").get_schedule(GroupName=GROUP, Name=name)
    assert (made["ActionAfterCompletion"], made["Target"]["RoleArn"]) == ("DELETE", ROLE)
    assert posted_in(made["Target"]["Input"]) == Posted(message, NOW + after, NOW)


def test_a_schedule_that_is_there_is_left_and_another_attempts_is_another(sending: Cloud, wire: Wire) -> None:
    due = NOW + 5000
    for one in (STEP, STEP):
        sending.run(sending.queue.send([(one, due)]))
    others = [replace(STEP, generation=1), replace(STEP, command_id="b"), replace(STEP, execution_id="two")]
    sending.run(sending.queue.send([*((one, due) for one in others), (STEP, due + 1000)]))
    assert [call.refused for call in wire.take() if call.refused] == ["ConflictException"]
    scheduled = [(one.delivery.message, one.due) for one in sending.messages]
    assert len(scheduled) == 5
    assert {*scheduled} == {*((one, due) for one in [STEP, *others]), (STEP, due + 1000)}


def test_what_is_due_after_the_last_schedule_is_scheduled_for_then(sending: Cloud, wire: Wire) -> None:
    sending.run(sending.queue.send([(TIMER, 1e15)]))
    assert sent(wire) == [("stepfast-t", "at(2099-01-01T00:00:00)", TIMER)]


def test_an_arn_follows_from_a_url() -> None:
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders-pdf"
    assert queue_arn(url, "eu-central-1") == "arn:aws:sqs:eu-central-1:123456789012:orders-pdf"
    assert queue_arn("http://localhost:4566/000000000000/q", "cn-north-1", "aws-cn").startswith("arn:aws-cn:sqs:cn-n")


def test_a_pool_without_a_queue_is_told_before_anything_is_sent(sending: Cloud, wire: Wire) -> None:
    stray = replace(STEP, pool="gpu")
    with pytest.raises(Misconfigured, match="step pool 'gpu' has no queue.*default, pdf.*Deploy.*'one' waits"):
        sending.run(sending.queue.send([(STEP, None), (TIMER, NOW + 9999), (stray, None)]))
    assert wire.take() == []


def test_an_entry_is_not_written_while_its_messages_cannot_be_sent(sending: Cloud) -> None:
    sending.run(sending.store.create(Execution("one", "w", "1", NOW)))
    entry = OrderEntry(0, 0, dispatched=("pay",))
    with pytest.raises(Misconfigured, match="gpu"):
        sending.run(sending.store.append("one", entry, [(replace(STEP, pool="gpu"), None)]))
    assert sending.run(sending.store.load("one")).cursor == Cursor()
    assert sending.run(sending.store.append("one", entry, [(STEP, None)]))


def test_messages_are_sent_even_though_the_entry_is_refused(sending: Cloud, wire: Wire) -> None:
    sending.run(sending.store.create(Execution("one", "w", "1", NOW)))
    assert sending.run(sending.store.append("one", OrderEntry(0, 0, ("a",))))
    wire.take()
    assert not sending.run(sending.store.append("one", OrderEntry(0, 0, ("b",)), [(STEP, None)]))
    assert [call.operation for call in wire.take()] == ["SendMessageBatch", "PutItem"]


@pytest.mark.parametrize("missing", ["timers", "parks", "schedules"])
def test_what_a_function_was_not_given_is_told_when_it_is_needed(sending: Cloud, missing: str) -> None:
    given = {"timers": sending.timers, "parks": sending.parks, "schedules": sending.schedules}
    queue = SqsQueue(sending.sqs, sending.clock, pools=sending.pools, **{**given, missing: None})  # type: ignore[arg-type]
    sending.run(queue.send([(STEP, None)]))
    message = {"timers": (TIMER, None), "parks": (PARK, None), "schedules": (STEP, NOW + 5000)}[missing]
    with pytest.raises(Misconfigured, match="deploy|Deploy"):
        sending.run(queue.send([message]))


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (10, [10]), (25, [10, 10, 5])])
def test_batches_hold_ten(sending: Cloud, wire: Wire, count: int, sizes: list[int]) -> None:
    sending.run(sending.queue.send([(replace(STEP, command_id=str(number)), None) for number in range(count)]))
    assert [len(call.params["Entries"]) for call in wire.take()] == sizes
    assert len(sending.messages) == count


def test_batches_hold_no_more_bytes_than_sqs_takes(sending: Cloud, wire: Wire) -> None:
    sending.run(sending.queue.send([(replace(STEP, command_id="x" * 60_000), None)] * 7))
    assert [len(call.params["Entries"]) for call in wire.take()] == [3, 3, 1]


def test_no_messages_are_no_call(sending: Cloud, wire: Wire) -> None:
    sending.run(sending.queue.send([]))
    assert wire.take() == []


# -- what a batch leaves --------------------------------------------------------------------------------


def failing(client: Any, times: int, *, sender: bool = False) -> list[list[str]]:
    """Lets every other message of a batch fail, so often; returns the ids of each batch that is sent."""
    batches: list[list[str]] = []

    def cut(params: dict[str, Any], **_: Any) -> Any:
        entries = json.loads(params["body"])["Entries"]
        batches.append([entry["Id"] for entry in entries])
        if len(batches) > times:
            return None
        failed = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": sender} for entry in entries[::2]]
        return SimpleNamespace(status_code=200), {"Failed": failed, "Successful": []}

    client.meta.events.register("before-call.sqs.SendMessageBatch", cut)
    return batches


def test_what_a_batch_leaves_is_sent_again(sending: Cloud) -> None:
    batches = failing(sending.sqs, 2)
    sending.run(sending.queue.send([(replace(STEP, command_id=str(number)), None) for number in range(5)]))
    assert batches == [["0", "1", "2", "3", "4"], ["0", "2", "4"], ["0", "4"]]
    assert {one.delivery.message.command_id for one in sending.messages} == {"0", "4"}  # the others went before


def test_what_a_batch_leaves_again_and_again_is_unavailable(sending: Cloud) -> None:
    batches = failing(sending.sqs, 99)
    before = sending.clock.time
    with pytest.raises(Unavailable, match="the queue 'stepfast-pdf' did not take 1 message.*InternalError"):
        sending.run(sending.queue.send([(STEP, None)]))
    assert len(batches) == 4
    assert 0 < sending.clock.time - before < 2


def test_a_message_that_sqs_will_never_take_is_told(sending: Cloud) -> None:
    failing(sending.sqs, 99, sender=True)
    with pytest.raises(Misconfigured, match="refuses a message"):
        sending.run(sending.queue.send([(STEP, None)]))


def test_a_permit_of_earlier_functions_is_read() -> None:
    """They did not say what was waited for, or said it in the permit: messages are in flight while functions change."""
    permit = Permit(LimitId("pdf", "k", 1), 2, 3.0, "t", 4.0, True, 1.0, True, "k", 0.5)
    other = replace(permit, put_off=None, asked=None)
    fields = json.loads(body_of(Message("step", "one", "a", 0, permits=(permit, other)), None, 5.0))
    assert posted_in(json.dumps(fields)).message.permits == (permit, other)
    waited = fields.pop("waited")
    early = replace(permit, asked=None, in_line=False, turn="", put_off=0.0)
    for known, read in ((0, early), (3, replace(permit, put_off=0.0)), (4, permit)):
        held = [[*shared, *more[:known]] for shared, more in zip(fields["permits"], waited, strict=True)]
        assert posted_in(json.dumps(fields | {"permits": held})).message.permits[0] == read


def test_a_permit_of_later_functions_is_read_without_what_they_have_added() -> None:
    permit = Permit(LimitId("pdf", "k", 1), 2, 3.0, "t", 4.0, True, 1.0, True, "k", None)
    fields = json.loads(body_of(Message("step", "one", "a", 0, permits=(permit,)), None, 5.0))
    fields |= {"permits": [[*fields["permits"][0], "new"]], "waited": [[*fields["waited"][0], {}]]}
    assert posted_in(json.dumps(fields)).message.permits == (permit,)


@pytest.mark.parametrize("field", ["permits", "waited"])
@pytest.mark.parametrize("value", ["x", 1, {"a": 1}, [["x"]], [[None, 1, 2, "x"]]])
def test_permits_of_someone_else_are_refused(field: str, value: Any) -> None:
    permit = Permit(LimitId("pdf"), 2, 3.0, "t", 4.0, True)
    fields = json.loads(body_of(Message("step", "one", "a", 0, permits=(permit,)), None, 5.0))
    with pytest.raises(ForeignMessage):
        posted_in(json.dumps(fields | {field: value}))
