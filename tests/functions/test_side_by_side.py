"""The advancer's batches with threads: executions side by side, each with its own outcome and its own log lines."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest

from stepfast.deployment.settings import Settings
from stepfast.functions import advancer, logs
from stepfast.functions.clients import Clients
from stepfast.functions.entry import guarded
from stepfast.functions.host import Host
from stepfast.functions.metering import EmbeddedMetrics
from stepfast.functions.side_by_side import LoopThreads
from tests.functions.conftest import Aws, Context
from tests.functions.sources import expired, failures, stream, woken
from tests.functions.works import work, works

IDS = ("a", "b", "c", "d")
MEETING_SECONDS = 60.0
"""Far more than threads need to meet; they fail after that where they run one after the other."""


@pytest.fixture
def aws(deploy: Callable[..., Aws]) -> Aws:
    made = deploy(works, work)
    for id in IDS:
        made.start("works", 1, id)
    return made


@pytest.fixture
def threads() -> Iterator[LoopThreads]:
    made = LoopThreads(len(IDS))
    yield made
    made.close()


class Meeting:
    """A table whose queries of `ids` wait for each other, and then go on one by one: moto takes one call at a time.

    fails: the ids whose queries fail afterwards.
    """

    def __init__(self, client: Any, ids: tuple[str, ...] = IDS, fails: tuple[str, ...] = ()) -> None:
        self._client, self._ids, self._fails = client, ids, fails
        self._barrier, self._one = threading.Barrier(max(1, len(ids))), threading.Lock()
        self.asked: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda **parameters: self._call(name, parameters)

    def _call(self, name: str, parameters: dict[str, Any]) -> Any:
        id = parameters.get("ExpressionAttributeValues", {}).get(":pk", {}).get("S", "")[2:]
        if name == "query" and id in self._ids:
            self._barrier.wait(MEETING_SECONDS)
        with self._one:
            if name == "query":
                self.asked.append((id, threading.get_ident()))
                if id in self._fails:
                    raise RuntimeError("a failure of this execution alone")
            return getattr(self._client, name)(**parameters)


class OneByOne:
    """A client that one thread uses at a time."""

    def __init__(self, client: Any, lock: threading.Lock) -> None:
        self._client, self._lock = client, lock

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(**parameters)

        return call


def handler_of(aws: Aws, table: Meeting, threads: LoopThreads) -> Callable[..., Any]:
    host = Host(aws.registry, aws.clock, aws.call, meter=aws.counts, side_by_side=threads)
    clients = Clients(dynamodb=table, sqs=OneByOne(aws.clients.sqs, threading.Lock()))
    return guarded(advancer.build(aws.settings, clients, host), host)


def test_executions_of_a_batch_are_advanced_at_the_same_time(aws: Aws, threads: LoopThreads) -> None:
    table = Meeting(aws.clients.dynamodb)
    records = [woken(number, id) for number, id in enumerate(IDS)]
    assert failures(handler_of(aws, table, threads)(stream(*records), Context())) == []
    assert len({thread for _, thread in table.asked}) == len(IDS)
    assert sorted(message["execution"] for message in aws.waiting()) == list(IDS)


def test_one_that_fails_beside_the_others_is_the_only_one_that_comes_again(aws: Aws, threads: LoopThreads) -> None:
    table = Meeting(aws.clients.dynamodb, fails=("b",))
    records = [woken(number, id) for number, id in enumerate((*IDS, "b"))]
    assert failures(handler_of(aws, table, threads)(stream(*records), Context())) == [f"{1:021}", f"{4:021}"]
    assert sorted(message["execution"] for message in aws.waiting()) == ["a", "c", "d"]


def test_the_jobs_of_one_execution_come_one_after_the_other(aws: Aws, threads: LoopThreads) -> None:
    """Its records in one batch may ask for two: time to live has deleted an execution, and it was started anew."""
    begun: list[str] = []
    over = threading.Event()

    async def in_threads(job: Any) -> Any:
        begun.append("begins")
        try:
            return await threads(job)
        finally:
            begun.append("ends")
            over.set()

    host = replace(Host(aws.registry, aws.clock, aws.call, meter=aws.counts), side_by_side=in_threads)
    lock = threading.Lock()
    clients = Clients(dynamodb=OneByOne(aws.clients.dynamodb, lock), sqs=OneByOne(aws.clients.sqs, lock))
    handler = advancer.build(aws.settings, clients, host)
    assert failures(handler(stream(expired(1, "a"), woken(2, "a")), Context())) == []
    assert begun == ["begins", "ends"] * 2


def test_each_log_line_names_its_own_execution_and_the_invocation(
    aws: Aws, threads: LoopThreads, caplog: pytest.LogCaptureFixture
) -> None:
    table = Meeting(aws.clients.dynamodb, fails=IDS)
    caplog.handler.addFilter(logs.name_execution)
    with caplog.at_level(logging.ERROR, "stepfast.functions.advancer"):
        records = [woken(number, id) for number, id in enumerate(IDS)]
        assert len(failures(handler_of(aws, table, threads)(stream(*records), Context()))) == len(IDS)
    lines = [record for record in caplog.records if "was not advanced" in record.getMessage()]
    assert {line.execution_id for line in lines} == set(IDS)  # type: ignore[attr-defined]
    for line in lines:
        assert f"execution {line.execution_id} was" in line.getMessage()  # type: ignore[attr-defined]
        assert line.function_request_id == Context.aws_request_id  # type: ignore[attr-defined]


def test_a_single_execution_needs_no_thread(aws: Aws, threads: LoopThreads) -> None:
    table = Meeting(aws.clients.dynamodb, ids=())
    assert failures(handler_of(aws, table, threads)(stream(woken(1, "a"), woken(2, "a", "c#work")), Context())) == []
    assert {thread for _, thread in table.asked} == {threading.get_ident()}


_word: ContextVar[str] = ContextVar("word", default="none")


def test_a_job_in_a_thread_sees_its_callers_context_each_time(threads: LoopThreads) -> None:
    async def word() -> str:
        return _word.get()

    async def said(text: str) -> str:
        _word.set(text)
        return await threads(word)

    async def all_words() -> list[str]:
        texts = [f"word {number}" for number in range(3 * len(IDS))]
        return await asyncio.gather(*(asyncio.create_task(said(text)) for text in texts))

    for _ in range(2):
        assert asyncio.run(all_words()) == [f"word {number}" for number in range(3 * len(IDS))]


def test_metrics_that_threads_count_are_all_written(capsys: pytest.CaptureFixture[str]) -> None:
    metrics, barrier = EmbeddedMetrics("advancer"), threading.Barrier(4)

    def count() -> None:
        barrier.wait(MEETING_SECONDS)
        for _ in range(200):
            metrics.count("ExecutionsStarted", workflow="works")

    workers = [threading.Thread(target=count) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    metrics.flush()
    written = capsys.readouterr().out
    total = 0
    for line in written.splitlines():
        values = json.loads(line)["ExecutionsStarted"]
        total += sum(values) if isinstance(values, list) else values
    assert total == 800


def test_a_client_is_made_once_however_many_threads_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    clients, barrier, made = Clients("eu-central-1"), threading.Barrier(4), list[str]()

    def make(service: str) -> object:
        made.append(service)
        return object()

    monkeypatch.setattr(clients, "_make", make)
    held: list[object] = []

    def ask() -> None:
        barrier.wait(MEETING_SECONDS)
        held.append(clients.sqs)

    workers = [threading.Thread(target=ask) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert made == ["sqs"]
    assert len(set(map(id, held))) == 1


def test_lambda_advances_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the entry point knows that it is in Lambda, so it is what brings the threads."""
    from stepfast.functions import entry

    hosts: list[Host] = []

    def build(settings: Settings, clients: Clients, host: Host) -> Callable[..., Any]:
        hosts.append(host)
        return lambda event, context: None

    monkeypatch.setattr(entry.logs, "configure", lambda kind: None)
    monkeypatch.setattr(entry.Settings, "from_environment", lambda *_: Settings(table="t"))
    for kind in ("advancer", "timer"):
        entry.EntryPoint(kind, build)({}, None)
    of_advancer, of_timer = (host.side_by_side for host in hosts)
    assert isinstance(of_advancer, LoopThreads)
    assert not isinstance(of_timer, LoopThreads)
    of_advancer.close()
