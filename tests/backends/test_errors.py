"""What AWS refuses or does not answer, as the caller sees it: what passes, what someone must mend, and no secrets."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from stepfast.backends.aws.errors import Misconfigured
from stepfast.backends.aws.s3 import S3Blobs
from stepfast.backends.aws.scheduler import ScheduleGroup
from stepfast.backends.aws.sqs import SqsQueue
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.engine.messages import Message
from stepfast.engine.ports import Commit, End, Query
from stepfast.errors import StartupError, Unavailable
from stepfast.model import Event, Execution, OrderEntry, Record, Signal
from tests.backends.cloud import Cloud, make_client, shared_client
from tests.contract.clock import FixedClock

SECRET = "4111-1111-1111-1111"
ONE = Execution("one", "w", f'"{SECRET}"', 1000.0)
RECORD = Record("a", "step", "a", "RUNNING", 0, token="t", input=f'"{SECRET}"')
CUT = OrderEntry(0, 1, cut=0)
STEP = Message("step", "one", "a", 0)
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/stepfast-default"
FAST = {"retries": {"mode": "standard", "total_max_attempts": 3}}


class Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class Answers:
    """AWS's side of the connection, without moto: the same answer to every request, which are counted."""

    def __init__(self, client: Any, *answers: Any) -> None:
        self.asked = 0
        self._answers = answers
        client.meta.events.register("before-send", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return AWSResponse(request.url, status, {}, Body(data))


def error(code: str, status: int = 400, **more: Any) -> tuple[int, dict[str, Any]]:
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "told by AWS", **more}


def store_on(client: Any) -> DynamoStore:
    clock = FixedClock()
    queue = SqsQueue(shared_client("sqs"), clock, pools={})
    return DynamoStore(client, "orders", queue, S3Blobs(shared_client("s3"), "values"), clock, listing_shards=1)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's own pauses between tries."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))


CALLS: dict[str, Callable[[DynamoStore], Coroutine[Any, Any, Any]]] = {
    "create": lambda store: store.create(ONE),
    "read": lambda store: store.read("one"),
    "load": lambda store: store.load("one"),
    "peek": lambda store: store.peek("one", "a"),
    "entries": lambda store: store.entries("one"),
    "history": lambda store: store.history("one"),
    "read_many": lambda store: store.read_many(["one", "two"]),
    "page": lambda store: store.page(Query()),
    "faults": lambda store: store.faults(None, 10),
    "figures": lambda store: store.figures("w", 0, 1),
    "idle": lambda store: store.idle(5),
    "commit": lambda store: store.commit("one", Commit(RECORD, wake=False)),
    "finish": lambda store: store.finish(End(ONE)),
    "cancel": lambda store: store.cancel(End(ONE), [RECORD]),
    "rewind": lambda store: store.rewind(
        ONE, OrderEntry(0, 1, cut=0), [RECORD], [Event(1.0, "e", None, {"secret": SECRET})]
    ),
    "add_signal": lambda store: store.add_signal("one", Signal("s", "n", f'"{SECRET}"', 1.0)),
    "erase": lambda store: store.erase(replace(ONE, status="CANCELLED")),
    "purge": lambda store: store.deleting.purge("one"),
}


def run(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_throttling_is_tried_again_and_then_unavailable(call: Any) -> None:
    client = make_client("dynamodb", **FAST)
    answers = Answers(client, error("ThrottlingException"))
    with pytest.raises(Unavailable, match="the table 'orders' did not take .*ThrottlingException.*later") as caught:
        run(call(store_on(client)))
    assert not isinstance(caught.value, StartupError)
    assert answers.asked % 3 == 0
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_missing_permission_names_the_table_and_what_to_grant(call: Any) -> None:
    client = make_client("dynamodb", **FAST)
    answers = Answers(client, error("AccessDeniedException"))
    with pytest.raises(Misconfigured, match="the table 'orders' refuses .*grant it to this role.*AWS says") as caught:
        run(call(store_on(client)))
    assert answers.asked == 1 or (answers.asked <= 18 and call is CALLS["page"])  # it asks for each status at once
    assert SECRET not in str(caught.value)


def test_a_throttled_write_that_is_let_through_is_written() -> None:
    client = make_client("dynamodb", **FAST)
    Answers(client, error("ProvisionedThroughputExceededException"), error("InternalServerError", 500), (200, {}))
    assert run(store_on(client).commit("one", Commit(RECORD, wake=False)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error("InternalServerError", 500), "did not take PutItem"),
        (error("ServiceUnavailable", 503), "did not take PutItem"),
        (error("RequestLimitExceeded"), "did not take PutItem"),
        (ConnectTimeoutError(endpoint_url="https://x"), r"did not answer \(ConnectTimeoutError\)"),
        (ReadTimeoutError(endpoint_url="https://x"), r"did not answer \(ReadTimeoutError\)"),
        (EndpointConnectionError(endpoint_url="https://x"), r"did not answer \(EndpointConnectionError\)"),
    ],
)
def test_what_passes_by_itself_is_unavailable(answer: Any, message: str) -> None:
    client = make_client("dynamodb", **FAST)
    answers = Answers(client, answer)
    with pytest.raises(Unavailable, match=message) as caught:
        run(store_on(client).commit("one", Commit(RECORD, wake=False)))
    assert not isinstance(caught.value, StartupError)
    assert answers.asked == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error("ResourceNotFoundException"), "'orders' does not exist in this account and region: .*STEPFAST_TABLE"),
        (error("UnrecognizedClientException"), "refuses the credentials of this process"),
        (error("ExpiredTokenException"), "refuses the credentials of this process"),
        (error("ValidationException"), r"refuses PutItem \(ValidationException\).*STEPFAST_TABLE"),
        (NoCredentialsError(), "cannot be reached: Unable to locate credentials"),
    ],
)
def test_what_someone_must_mend_says_what(answer: Any, message: str) -> None:
    client = make_client("dynamodb", **FAST)
    Answers(client, answer)
    with pytest.raises(Misconfigured, match=message) as caught:
        run(store_on(client).commit("one", Commit(RECORD, wake=False)))
    assert "told by AWS" not in str(caught.value)  # it may quote what was sent
    assert SECRET not in str(caught.value)


def test_a_table_that_is_not_there_is_told_by_moto_the_same_way(cloud: Cloud) -> None:
    store = DynamoStore(cloud.dynamodb, "missing", cloud.queue, cloud.blobs, cloud.clock)
    with pytest.raises(Misconfigured, match="'missing' does not exist"):
        cloud.run(store.read("one"))


# -- writes that meet a transaction ------------------------------------------------------------------------

CONFLICT = error("TransactionConflictException")


def cancelled(*codes: str) -> tuple[int, dict[str, Any]]:
    return error("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def test_a_write_that_meets_a_transaction_is_tried_again() -> None:
    client = make_client("dynamodb", **FAST)
    answers = Answers(client, CONFLICT, CONFLICT, (200, {}))
    assert run(store_on(client).commit("one", Commit(RECORD, wake=False)))
    assert answers.asked == 3


def test_a_write_that_meets_transactions_all_the_time_is_unavailable() -> None:
    client = make_client("dynamodb", **FAST)
    answers = Answers(client, CONFLICT)
    with pytest.raises(Unavailable, match="TransactionConflictException"):
        run(store_on(client).commit("one", Commit(RECORD, wake=False)))
    assert answers.asked == 5


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_is_cancelled_by_others_is_tried_again(code: str) -> None:
    client = make_client("dynamodb", **FAST)
    Answers(client, cancelled(code, "None"), cancelled("None", code), (200, {}))
    assert run(store_on(client).cancel(End(ONE), [RECORD]))
    client = make_client("dynamodb", **FAST)
    Answers(client, cancelled(code, "None"))
    with pytest.raises(Unavailable, match="busy with other transactions"):
        run(store_on(client).cancel(End(ONE), [RECORD]))


def test_a_transaction_that_a_condition_refuses_is_an_answer_even_if_another_was_in_the_way() -> None:
    client = make_client("dynamodb", **FAST)
    answers = Answers(client, cancelled("ConditionalCheckFailed", "TransactionConflict"))
    assert not run(store_on(client).cancel(End(ONE), [RECORD]))
    assert answers.asked == 1


def test_a_transaction_that_can_never_be_written_says_so() -> None:
    client = make_client("dynamodb", **FAST)
    Answers(client, cancelled("None", "ValidationError"))
    with pytest.raises(Misconfigured, match="refuses a transaction: ValidationError"):
        run(store_on(client).cancel(End(ONE), [RECORD]))


# -- answers that are lost -----------------------------------------------------------------------------------


def losing_answers(client: Any, operation: str) -> None:
    """The first of the calls takes effect, and its answer is lost on the way back."""
    lost = []

    def lose(request: Any, **_: Any) -> AWSResponse | None:
        if lost:
            return None
        lost.append(request)
        body = {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}
        return AWSResponse(request.url, 500, {}, Body(json.dumps(body).encode()))

    client.meta.events.register_first(f"before-send.dynamodb.{operation}", lose)


@pytest.fixture
def lossy(aws: None) -> Cloud:
    return Cloud(lambda service: make_client(service, **FAST))


def test_a_claim_whose_answer_was_lost_is_won_all_the_same(lossy: Cloud) -> None:
    lossy.run(lossy.store.create(ONE))
    losing_answers(lossy.dynamodb, "PutItem")
    assert lossy.run(lossy.store.commit("one", Commit(RECORD, wake=False)))
    assert not lossy.run(lossy.make_store().commit("one", Commit(Record("a", "step", "a", "RUNNING", 0), wake=False)))


def test_a_start_whose_answer_was_lost_has_started_it(lossy: Cloud) -> None:
    losing_answers(lossy.dynamodb, "PutItem")
    assert lossy.run(lossy.store.create(ONE)) is ONE
    assert lossy.woken == ["one"]


def test_a_result_that_is_written_again_later_is_known_as_ones_own(lossy: Cloud) -> None:
    """A worker goes on trying after Unavailable, which does not tell whether it was written."""
    lossy.run(lossy.store.create(ONE))
    assert lossy.run(lossy.store.commit("one", Commit(RECORD, wake=True)))
    lossy.clock.time += 5
    assert lossy.run(lossy.store.commit("one", Commit(RECORD, wake=True)))


# -- the other services --------------------------------------------------------------------------------------


def test_a_queue_that_is_throttled_or_refused_is_told() -> None:
    for answer, kind, message in (
        (error("RequestThrottled"), Unavailable, "the queue 'stepfast-default' did not take SendMessageBatch"),
        (error("AccessDenied", 403), Misconfigured, "'stepfast-default' refuses SendMessageBatch: .*sqs:SendMessage"),
        (error("QueueDoesNotExist"), Misconfigured, "'stepfast-default' does not exist"),
    ):
        client = make_client("sqs", **FAST)
        Answers(client, answer)
        with pytest.raises(kind, match=message):
            run(SqsQueue(client, FixedClock(), pools={"default": URL}).send([(STEP, None)]))


def test_a_bucket_that_is_not_there_is_told(cloud: Cloud) -> None:
    with pytest.raises(Misconfigured, match="the bucket 'missing' does not exist.*STEPFAST_BUCKET"):
        S3Blobs(shared_client("s3"), "missing").put("one", b"x")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDeniedException", "refuses CreateSchedule.*iam:PassRole"),
        ("ResourceNotFoundException", "does not exist"),
    ],
)
def test_a_schedule_group_that_refuses_or_is_not_there_is_told(code: str, message: str) -> None:
    client = make_client("scheduler", **FAST)
    Answers(client, error(code))
    with pytest.raises(Misconfigured, match=f"the schedule group 'nightly' {message}"):
        ScheduleGroup(client, "nightly", "arn:aws:iam::1:role/r").put(STEP, 5000.0, URL, "{}")
