"""What advancers remember of a long execution on DynamoDB, and what makes a memory void (rule *memory*)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from stepfast import step, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.memory import Memory, News
from stepfast.engine.ports import Commit
from stepfast.engine.replay_cache import LiveReplays
from stepfast.language.registry import Registry
from stepfast.model import Execution, Record
from tests.backends.cloud import Cloud
from tests.backends.wire import Wire

COUNT = 25
STARTED = News(whole=False)


@step
def count(number: int) -> int:
    return number


@workflow("counts")
async def counts() -> int:
    return sum(await asyncio.gather(*(count(number) for number in range(COUNT))))


class Sandbox:
    """The advancer of one process of the function."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud, self._store, lives = cloud, cloud.make_store(), LiveReplays()
        self.memory = Memory(self._store, lives)
        self._advancer = Advancer(self._store, cloud.queue, cloud.clock, Registry([counts]), lives, memory=self.memory)

    def gets(self, *news: Record, whole: bool = True) -> bool:
        """Advances on this news; True where this has ended the execution."""
        advance = self._advancer.advance("one", news=News(news) if whole else STARTED)
        return self._cloud.run(advance).finished


class Home:
    def __init__(self, cloud: Cloud, wire: Wire) -> None:
        self.cloud, self._wire = cloud, wire
        cloud.run(cloud.store.create(Execution("one", "counts", "null", 1000.0)))
        self.first, self.second = Sandbox(cloud), Sandbox(cloud)
        self._ended = 0

    def ends(self) -> Record:
        """Records the outcome of the next step."""
        id = "count" if self._ended == 0 else f"count#{self._ended + 1}"
        number, self._ended = self._ended, self._ended + 1
        record = Record(
            id, "step", "count", "SUCCEEDED", 0, attempt=1, output=str(number), ended_at=1000.0 + number, revision=1
        )
        assert self.cloud.run(self.cloud.store.commit("one", Commit(record, wake=True)))
        return record

    def reads(self, sandbox: Sandbox, *news: Record) -> bool:
        """Whether an advance on this news has read the execution."""
        self._wire.take()
        sandbox.gets(*news)
        return "Query" in {call.operation for call in self._wire.take()}


@pytest.fixture
def home(hooked: Cloud, wire: Wire) -> Home:
    """The first sandbox has begun the execution, and remembers it since its first two outcomes."""
    home = Home(hooked, wire)
    home.first.gets(whole=False)
    for _ in range(2):
        home.first.gets(home.ends())
    return home


def test_a_long_execution_is_advanced_without_reading_it(home: Home) -> None:
    assert not home.reads(home.first, home.ends())
    assert not home.reads(home.first, home.ends(), home.ends())


def test_news_that_come_twice_are_taken_once(home: Home) -> None:
    record = home.ends()
    assert not home.reads(home.first, record)
    assert not home.reads(home.first, record)


def test_a_sandbox_that_has_had_one_batch_leaves_no_memory_without_it(home: Home) -> None:
    """The second sandbox does not know that the execution is long until it has read it."""
    home.second.gets(home.ends())
    assert home.reads(home.first, home.ends())
    ended = [home.first.gets(home.ends()) for _ in range(COUNT - 4)]
    assert ended[-1]
    result = home.cloud.run(home.cloud.store.read("one"))
    assert result is not None
    assert (result.status, result.result) == ("SUCCEEDED", str(sum(range(COUNT))))


def test_a_batch_with_more_than_news_voids_a_memory_of_another_sandbox(home: Home) -> None:
    home.second.gets(whole=False)
    assert home.reads(home.first, home.ends())


def test_news_that_do_not_fit_are_looked_up(home: Home) -> None:
    record = home.ends()
    assert home.reads(home.first, replace(record, id="count#99"))
    later = replace(home.ends(), generation=1)
    assert home.reads(home.first, later)


def test_what_was_forgotten_is_read_again(home: Home) -> None:
    home.first.memory.forget("one")
    home.ends()
    assert home.reads(home.first, home.ends())
    assert not home.reads(home.first, home.ends())
