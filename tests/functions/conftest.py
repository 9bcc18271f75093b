"""The functions on moto: built as in Lambda, called with JSON, over the real backends."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from moto import mock_aws

from stepfast.backends.dynamodb.api_keys import ApiKeys
from stepfast.cli.invoke import REGION, deployed
from stepfast.deployment.settings import Settings
from stepfast.functions.clients import Clients
from stepfast.functions.entry import guarded
from stepfast.functions.host import Host, OneLoop
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Snapshot
from tests.functions.sources import as_record, failures, http, sqs, stream, woken


class Clock:
    """A clock that moves when it is told to; sleeping tells it."""

    def __init__(self, now: float = 1_795_359_607.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Context:
    """As much of Lambda's as the functions look at."""

    seconds: float = 300.0
    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Counts:
    """A meter that remembers: (name, dimensions) to the values."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], list[float]] = {}
        self.flushed = 0

    def count(self, name: str, value: float = 1, **by: str) -> None:
        self.values.setdefault((name, "".join(by.values())), []).append(value)

    measure = count

    def flush(self) -> None:
        self.flushed += 1


@dataclass
class Aws:
    """A deployment in moto, without anything that would call its functions."""

    registry: Registry
    clients: Clients
    settings: Settings
    clock: Clock = field(default_factory=Clock)
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.call = OneLoop()

    def build(self, kind: str, clients: Clients | None = None, **settings: Any) -> Callable[..., Any]:
        """A new sandbox of a function; what it is called with and answers goes through JSON."""
        host = Host(self.registry, self.clock, self.call, draw=random.Random(1), meter=self.counts)
        build = import_module(f"stepfast.functions.{kind}").build
        handler = guarded(build(replace(self.settings, **settings), clients or self.clients, host), host)

        def through_json(event: Any, context: Context | None = None) -> Any:
            return json.loads(json.dumps(handler(json.loads(json.dumps(event)), context or Context())))

        return through_json

    def invoke(self, kind: str, event: Any, context: Context | None = None, **settings: Any) -> Any:
        return self.build(kind, **settings)(event, context)

    # -- the API ---------------------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: Any = None, *, scopes: str = "read run operate", query: str = ""
    ) -> tuple[int, Any]:
        """One request that the authorizer has let in; returns status and body."""
        event = http(method, path, body, {"lambda": {"scopes": scopes, "key": "tests"}}, query)
        answer = self.invoke("api", event)
        return answer["statusCode"], json.loads(answer["body"])

    def start(self, workflow: str, input: Any = None, id: str = "one") -> None:
        status, body = self.ask("POST", f"/v1/workflows/{workflow}/executions", {"input": input, "execution_id": id})
        assert status == 201, body

    def execution(self, id: str = "one") -> Execution:
        return self.snapshot(id).execution

    def snapshot(self, id: str = "one") -> Snapshot:
        snapshot = self.call(self.store().load(id))
        assert snapshot is not None
        return snapshot

    def store(self) -> Any:
        from stepfast.functions.engine import Engine

        return Engine(self.settings, self.clients, Host(self.registry, self.clock, self.call)).store

    # -- the stream ------------------------------------------------------------------------------------------

    def advance(self, *ids: str) -> Any:
        """What the stream would bring after a write of the metas of these executions."""
        return self.invoke("advancer", stream(*(woken(number, id) for number, id in enumerate(ids or ("one",)))))

    # -- queues ----------------------------------------------------------------------------------------------

    def url(self, queue: str) -> str:
        known = {"timer": self.settings.timer_queue, "park": self.settings.park_queue, **self.settings.queues}
        return known[queue] if queue in known else str(self.clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"])

    def receive(self, queue: str = "default", **more: Any) -> dict[str, Any]:
        """What is visible in a queue, as the event that Lambda would be called with."""
        answer = self.clients.sqs.receive_message(
            QueueUrl=self.url(queue), MaxNumberOfMessages=10, AttributeNames=["All"], VisibilityTimeout=400
        )
        return sqs(*(as_record(message, **more) for message in answer.get("Messages", ())))

    def waiting(self, queue: str = "default") -> list[dict[str, Any]]:
        """The bodies of the messages in a queue that are visible; they stay visible."""
        answer = self.clients.sqs.receive_message(QueueUrl=self.url(queue), MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(message["Body"]) for message in answer.get("Messages", ())]

    def send(self, queue: str, *bodies: Any) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.clients.sqs.send_message(QueueUrl=self.url(queue), MessageBody=text)

    def run_steps(self, queue: str = "default") -> Any:
        """Receives what is in a queue, hands it to the function, and deletes what that lets go."""
        event = self.receive(queue)
        kind = {"timer": "timer", "park": "resume"}.get(queue, "step")
        answer = self.invoke(kind, event, **({"pool": queue} if kind == "step" else {}))
        kept = failures(answer)
        for record in event["Records"]:
            if record["messageId"] not in kept:
                self.clients.sqs.delete_message(QueueUrl=self.url(queue), ReceiptHandle=record["receiptHandle"])
        return answer

    @property
    def keys(self) -> ApiKeys:
        return ApiKeys(self.clients.dynamodb, self.settings.table)


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a real account, and none hears of this machine's settings."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "STEPFAST_TABLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


_clients: list[Clients] = []


def shared_clients() -> Clients:
    """Made once, in an environment that `no_account` has set: making them takes longer than most tests."""
    if not _clients:
        _clients.append(Clients(REGION))
    return _clients[0]


@pytest.fixture
def deploy(no_account: None) -> Iterator[Callable[..., Aws]]:
    """Makes a deployment of workflows and steps."""
    made: list[Aws] = []
    with mock_aws():

        def make(*parts: Workflow[..., Any] | Step[..., Any] | Registry) -> Aws:
            registries = [part for part in parts if isinstance(part, Registry)]
            registry = (
                registries[0]
                if registries
                else Registry(
                    [part for part in parts if isinstance(part, Workflow)],
                    [part for part in parts if isinstance(part, Step)],
                )
            )
            clients = shared_clients()
            made.append(Aws(registry, clients, deployed(clients, registry)))
            return made[-1]

        yield make
        for deployment in made:
            deployment.call.close()


@contextmanager
def away(client: Any, operation: str = "*", error: Exception | None = None, about: str = "") -> Iterator[None]:
    """A service that cannot be reached, by this client and for these calls; about: what a call must mention."""
    service = client.meta.service_model.service_id.hyphenize()

    def fail(params: dict[str, Any], **_: Any) -> None:
        if about in str(params):
            raise error or ConnectTimeoutError(endpoint_url="https://away")

    client.meta.events.register_first(f"before-call.{service}.{operation}", fail, unique_id="away")
    try:
        yield
    finally:
        client.meta.events.unregister(f"before-call.{service}.{operation}", unique_id="away")


@contextmanager
def heard(client: Any, operation: str) -> Iterator[list[dict[str, Any]]]:
    """The parameters of the calls of an operation, while they last."""
    service, calls = client.meta.service_model.service_id.hyphenize(), list[dict[str, Any]]()
    name = f"provide-client-params.{service}.{operation}"

    def note(params: dict[str, Any], **_: Any) -> None:
        calls.append(params)

    client.meta.events.register(name, note, unique_id="heard")
    try:
        yield calls
    finally:
        client.meta.events.unregister(name, unique_id="heard")
