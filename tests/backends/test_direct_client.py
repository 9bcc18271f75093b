"""Direct clients send what botocore sends, return what it returns, and leave to it what is not an answer."""

from __future__ import annotations

import calendar
import json
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from stepfast.backends.aws.direct_client import BOTOCORE_SECONDS, OPERATIONS
from stepfast.backends.aws.direct_connection import Address, DirectConnections, NoAnswer, RawAnswer
from stepfast.backends.aws.direct_signature import Credentials, RequestSignature
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table
from stepfast.backends.dynamodb.typed_json import text
from stepfast.model import Execution, Signal
from tests.backends.certificates import self_signed
from tests.backends.cloud import REGION, TABLE, Cloud, make_client, shared_client
from tests.backends.direct import MADE, ToMoto, direct_at, direct_on_moto, mostly_direct
from tests.backends.raw_server import CLOSE, RawServer, answer

KEY = {"pk": {"S": "x#a"}, "sk": {"S": "meta"}}
ITEM = {
    **KEY,
    "name": {"S": 'Zoë "Q1" \u2028\n'},
    "sum": {"N": "12.50"},
    "key": {"B": b"\x00\xff\x10"},
    "B": {"M": {"B": {"S": "no bytes"}, "inner": {"B": b"inner"}}},
    "list": {"L": [{"NULL": True}, {"BOOL": False}, {"B": b""}]},
}
QUEUE = f"https://sqs.{REGION}.amazonaws.com/123456789012/default"
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "put_item", {"TableName": TABLE, "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}),
    ("dynamodb", "get_item", {"TableName": TABLE, "Key": KEY, "ConsistentRead": True}),
    ("dynamodb", "batch_get_item", {"RequestItems": {TABLE: {"Keys": [KEY], "ConsistentRead": True}}}),
    (
        "dynamodb",
        "query",
        {"TableName": TABLE, "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "x#a"}}},
    ),
    (
        "dynamodb",
        "update_item",
        {
            "TableName": TABLE,
            "Key": KEY,
            "UpdateExpression": "SET #a = :a",
            "ExpressionAttributeNames": {"#a": "a"},
            "ExpressionAttributeValues": {":a": {"B": b"\x01"}},
            "ReturnValues": "ALL_NEW",
        },
    ),
    ("dynamodb", "scan", {"TableName": TABLE, "Limit": 10}),
    (
        "dynamodb",
        "transact_write_items",
        {"TransactItems": [{"Put": {"TableName": TABLE, "Item": ITEM}}], "ClientRequestToken": "t" * 36},
    ),
    ("dynamodb", "delete_item", {"TableName": TABLE, "Key": KEY}),
    ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": "Zoë", "DelaySeconds": 3}),
    (
        "sqs",
        "send_message_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "MessageBody": "{}", "DelaySeconds": 0}]},
    ),
    ("sqs", "change_message_visibility", {"QueueUrl": QUEUE, "ReceiptHandle": "r", "VisibilityTimeout": 30}),
]


def sent_by_botocore(service: str, method: str, parameters: dict[str, Any]) -> Any:
    """The request that botocore would send."""
    client, kept = make_client(service), list[Any]()

    def keep(request: Any, **rest: object) -> AWSResponse:
        kept.append(request)
        return AWSResponse(request.url, 200, {}, _Empty())

    client.meta.events.register_first("before-send", keep)
    getattr(client, method)(**parameters)
    return kept[0]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Closes the connections of a test's clients."""
    yield
    while MADE:
        MADE.pop().close()


class _Empty:
    def stream(self, **rest: object) -> Iterator[bytes]:
        yield b"{}"


class Keeping(DirectConnections):
    """Keeps a request, and answers it with nothing."""

    def __init__(self) -> None:
        super().__init__(Address("aws", 443, tls=False), 1.0, 1.0, None)
        self.head, self.body = "", b""

    def post(self, head: str, body: bytes) -> RawAnswer:
        self.head, self.body = head, body
        return RawAnswer(200, {}, b"{}")


def test_every_call_of_a_direct_client_is_compared_here() -> None:
    of_calls = {(service, method) for service, method, _ in CALLS}
    assert of_calls == {(service, method) for service, methods in OPERATIONS.items() for method in methods}


@pytest.mark.parametrize(("service", "method", "parameters"), CALLS, ids=[method for _, method, _ in CALLS])
def test_a_request_is_the_one_that_botocore_would_send(
    service: str, method: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = sent_by_botocore(service, method, parameters), Keeping()
    stamp = theirs.headers["X-Amz-Date"].decode()
    monkeypatch.setattr(time, "time", lambda: float(calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))))
    getattr(direct_on_moto(service, ours), method)(**parameters)
    first, *lines = ours.head.split("\r\n")
    assert first == "POST / HTTP/1.1"
    assert theirs.url == f"https://{service}.{REGION}.amazonaws.com/"
    assert ours.body == theirs.body
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    for name, value in theirs.headers.items():
        if not name.lower().startswith(("user-agent", "amz-sdk")):
            assert headers[name.lower()] == (value.decode() if isinstance(value, bytes) else str(value)), name


def test_a_signature_with_a_session_token_is_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Theirs

    signed = {"content-type": "application/x-amz-json-1.0", "host": "h", "x-amz-target": "T.Put"}
    request = AWSRequest("POST", "https://h/", signed, b"{}")
    SigV4Auth(Theirs("AKID", "secret", "to/ken=="), "sqs", "eu-west-1").add_auth(request)
    now = float(calendar.timegm(time.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")))
    ours = RequestSignature(Credentials("AKID", "secret", "to/ken=="), "eu-west-1", "sqs")
    for _ in range(2):  # with a key that is derived, and with one that is kept
        headers = ours.headers(signed, b"{}", now)
        assert headers["authorization"] == request.headers["Authorization"]
        assert headers["x-amz-security-token"] == "to/ken=="
    assert ours.headers(signed, b"{}", now + 86_400)["authorization"] != headers["authorization"]


def test_credentials_do_not_show_their_secret() -> None:
    assert "s3cret" not in repr(Credentials("AKID", "s3cret", "t0ken"))
    assert "t0ken" not in f"{Credentials('AKID', 's3cret', 't0ken')}"


# -- on moto -----------------------------------------------------------------------------------------------


def test_answers_are_those_of_botocore(cloud: Cloud) -> None:
    ours, theirs = direct_on_moto("dynamodb"), shared_client("dynamodb")
    ours.put_item(TableName=TABLE, Item=ITEM)
    assert theirs.get_item(TableName=TABLE, Key=KEY)["Item"] == ITEM
    for service, method, parameters in CALLS[1:6]:
        theirs_answer = getattr(theirs, method)(**parameters)
        del theirs_answer["ResponseMetadata"]
        assert getattr(ours, method)(**parameters) == theirs_answer, (service, method)


def test_a_refused_condition_raises_what_botocore_raises(cloud: Cloud) -> None:
    errors = []
    shared_client("dynamodb").put_item(TableName=TABLE, Item=ITEM)
    for client in (direct_on_moto("dynamodb"), shared_client("dynamodb")):
        with pytest.raises(ClientError) as refused:
            client.put_item(
                TableName=TABLE,
                Item=ITEM,
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        check = {"TableName": TABLE, "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}
        with pytest.raises(ClientError) as cancelled:
            client.transact_write_items(TransactItems=[{"Put": check}])
        reasons = [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]]
        answer = refused.value.response
        errors.append((refused.value.operation_name, answer["Error"], answer["Item"], reasons))
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert errors[0] == errors[1]


def test_a_transaction_has_a_token_so_that_one_that_is_sent_twice_counts_once(cloud: Cloud) -> None:
    connections = ToMoto()
    client = direct_on_moto("dynamodb", connections)
    for _ in range(2):
        client.transact_write_items(TransactItems=[{"Put": {"TableName": TABLE, "Item": ITEM}}])
    tokens = [json.loads(body)["ClientRequestToken"] for _, body in connections.requests]
    assert all(re.fullmatch(r"[0-9a-f-]{36}", token) for token in tokens)
    assert tokens[0] != tokens[1]


def test_the_store_and_the_queue_work_on_direct_clients(aws: None) -> None:
    cloud = Cloud(mostly_direct)
    one = Execution("a-1", "orders", '{"order":"ü"}', cloud.clock.now(), labels={"team": "shop"})
    assert cloud.run(cloud.store.create(one)) == one
    assert cloud.run(cloud.store.create(one)) == one
    cloud.run(cloud.store.add_signal("a-1", Signal("s1", "approved", "1", cloud.clock.now())))
    snapshot = cloud.run(cloud.store.load("a-1"))
    assert snapshot is not None
    assert (snapshot.execution.labels, [signal.name for signal in snapshot.signals]) == ({"team": "shop"}, ["approved"])
    held = Table(direct_on_moto("dynamodb"), TABLE, cloud.clock)
    assert cloud.run(held.put({**KEY, "a": text("1")}, ABSENT)) is None
    refused = cloud.run(held.put({**KEY, "a": text("2")}, Condition("a = :a", {":a": text("3")})))
    assert refused == {**KEY, "a": text("1")}


# -- what is left to botocore --------------------------------------------------------------------------------


class Taking:
    """Stands for botocore's client, and notes what is left to it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def method(**parameters: Any) -> dict[str, Any]:
            self.calls.append((name, parameters))
            return {"by": "botocore"}

        return method


THROTTLED = b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow"}'
GET = {"TableName": TABLE, "Key": KEY}


@pytest.mark.parametrize(
    "raw",
    [
        answer(THROTTLED, 400),
        answer(b'{"__type":"com.amazon.coral.service#ExpiredTokenException"}', 400),
        answer(b"{}", 500),
        answer(b"<html>busy</html>", 503),
        answer(b"not JSON", 400),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n{}" + CLOSE,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}{}",
        b"HTTP/1.1 2",
        CLOSE,
    ],
    ids=["throttled", "expired", "500", "503", "no-json", "chunked", "old", "cut", "longer", "broken", "closed"],
)
def test_what_is_no_answer_is_left_to_botocore_for_a_minute(raw: bytes) -> None:
    taking, now = Taking(), [100.0]
    with RawServer(raw, raw) as server:
        client = direct_at(server.port, lambda: taking, monotonic=lambda: now[0], read_seconds=0.3)
        assert client.get_item(**GET) == {"by": "botocore"}
        asked = server.requests
        now[0] += BOTOCORE_SECONDS - 1
        assert client.get_item(**GET) == {"by": "botocore"}
        assert server.requests == asked, "the next minute is botocore's"
        assert taking.calls == [("get_item", GET)] * 2
    with RawServer(answer(b'{"Item":{}}')) as server:
        later = direct_at(server.port, lambda: taking, monotonic=lambda: now[0])
        assert later.get_item(**GET) == {"Item": {}}


def test_after_the_minute_calls_are_direct_again() -> None:
    taking, now = Taking(), [0.0]
    with RawServer(answer(b"{}", 500), answer(b'{"Item":{}}')) as server:
        client = direct_at(server.port, lambda: taking, monotonic=lambda: now[0])
        assert client.get_item(**GET) == {"by": "botocore"}
        now[0] = BOTOCORE_SECONDS
        assert client.get_item(**GET) == {"Item": {}}


def test_a_transaction_that_is_left_to_botocore_keeps_its_token() -> None:
    taking = Taking()
    with RawServer(answer(b"{}", 500)) as server:
        direct_at(server.port, lambda: taking).transact_write_items(TransactItems=[])
        sent = json.loads(server.bodies[0])
    assert taking.calls == [("transact_write_items", sent)]


def test_other_methods_are_botocores() -> None:
    taking = Taking()
    client = direct_at(1, lambda: taking)
    assert client.describe_table(TableName=TABLE) == {"by": "botocore"}
    assert taking.calls == [("describe_table", {"TableName": TABLE})]


def test_nobody_listens() -> None:
    taking = Taking()
    with RawServer() as server:
        port = server.port
    assert direct_at(port, lambda: taking).get_item(**GET) == {"by": "botocore"}


# -- connections -----------------------------------------------------------------------------------------------


def test_a_connection_is_used_again_and_each_answer_is_heard() -> None:
    heard: list[str] = []
    with RawServer(answer(b'{"a":1}'), answer(b'{"a":2}')) as server:
        client = direct_at(server.port, Taking, lambda http_response: heard.append(http_response.headers["date"]))
        assert [client.get_item(**GET)["a"] for _ in range(2)] == [1, 2]
        assert server.connections == 1
    assert heard == ["Sun, 29 Nov 2026 04:00:00 GMT"] * 2


def test_a_kept_connection_that_was_closed_meanwhile_costs_no_call_of_botocores() -> None:
    taking = Taking()
    with RawServer(answer(b'{"a":1}'), CLOSE, answer(b'{"a":2}')) as server:
        client = direct_at(server.port, lambda: taking)
        assert [client.get_item(**GET)["a"] for _ in range(2)] == [1, 2]
        assert (server.connections, taking.calls) == (2, [])


def test_a_connection_that_is_to_be_closed_is_not_used_again() -> None:
    closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
    with RawServer(closing, closing) as server:
        client = direct_at(server.port, Taking)
        assert [client.get_item(**GET) for _ in range(2)] == [{}, {}]
        assert server.connections == 2


def test_an_answer_may_come_in_pieces_of_any_size() -> None:
    body = json.dumps({"Item": {"a": {"S": "x" * 300_000}}}).encode()
    with RawServer(answer(body), pieces=70_001) as server:
        assert direct_at(server.port, Taking).get_item(**GET) == json.loads(body)
    with RawServer(answer(b'{"a":1}'), pieces=1) as server:
        assert direct_at(server.port, Taking).get_item(**GET) == {"a": 1}


def test_a_server_that_is_not_trusted_is_left_to_botocore(tmp_path: Path) -> None:
    of_server, trusting = self_signed(tmp_path)
    for context, expected in ((trusting, {"a": 1}), (ssl.create_default_context(), {"by": "botocore"})):
        with RawServer(answer(b'{"a":1}'), context=of_server) as server:
            assert direct_at(server.port, Taking, context=context).get_item(**GET) == expected


def test_no_answer_says_nothing_of_the_request() -> None:
    with RawServer(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n") as server:
        client = direct_at(server.port, Taking)
        with pytest.raises(NoAnswer) as error:
            client._connections.post("POST / HTTP/1.1\r\nhost: secret", b"secret")
    assert "secret" not in str(error.value)
