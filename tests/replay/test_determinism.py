"""Clocks and random numbers in workflow code: the same in every replay or refused; elsewhere the real ones."""

# ruff: noqa: DTZ002, DTZ003, DTZ005, DTZ011 (times without a zone are what is tried here)

import asyncio
import datetime as dt
import json
import logging
import os
import pickle
import random
import secrets
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from random import gauss, getrandbits, randint
from random import random as drawn
from time import monotonic, time_ns
from time import time as seconds
from typing import Any
from uuid import uuid1, uuid4

import pytest
from pydantic import BaseModel, Field

import stepfast
from stepfast.errors import ForbiddenInWorkflow
from stepfast.replay import interception
from tests.replay.driver import CREATED, played, started
from tests.replay.steps import echo


class Event(BaseModel):
    at: datetime = Field(default_factory=datetime.now)
    id: uuid.UUID = Field(default_factory=uuid.uuid4)


class Moment(datetime):
    """As libraries make classes of their own."""


def reseeded(made: random.Random) -> random.Random:
    made.seed()
    return made


CALLS: dict[str, Callable[[], object]] = {
    "datetime.now": lambda: datetime.now(),
    "datetime.now(UTC)": lambda: datetime.now(UTC),
    "datetime.now(tz=)": lambda: datetime.now(tz=dt.timezone(dt.timedelta(hours=5))),
    "datetime.utcnow": lambda: datetime.utcnow(),
    "datetime.today": lambda: datetime.today(),
    "date.today": lambda: date.today(),
    "a method held": (lambda now: lambda: now(UTC))(datetime.now),
    "a class made of datetime": lambda: Moment.now(UTC),
    "time": lambda: time.time(),
    "time held": lambda: seconds(),
    "time_ns": lambda: time.time_ns(),
    "time_ns held": lambda: time_ns(),
    "monotonic": lambda: time.monotonic(),
    "monotonic held": lambda: monotonic(),
    "monotonic_ns": lambda: time.monotonic_ns(),
    "perf_counter": lambda: time.perf_counter(),
    "perf_counter_ns": lambda: time.perf_counter_ns(),
    "process_time": lambda: time.process_time(),
    "thread_time_ns": lambda: time.thread_time_ns(),
    "clock_gettime": lambda: time.clock_gettime(time.CLOCK_REALTIME),
    "localtime": lambda: tuple(time.localtime()),
    "gmtime": lambda: tuple(time.gmtime()),
    "ctime": lambda: time.ctime(),
    "asctime": lambda: time.asctime(),
    "strftime": lambda: time.strftime("%Y-%m-%d %H:%M:%S"),
    "random": lambda: random.random(),
    "random held": lambda: drawn(),
    "randint": lambda: randint(1, 10**12),
    "getrandbits": lambda: getrandbits(100),
    "gauss": lambda: gauss(0, 1),
    "choice": lambda: random.choice(range(10**12)),
    "sample": lambda: random.sample(range(10**12), 3),
    "shuffle": lambda: (lambda made: (random.shuffle(made), made)[1])(list(range(50))),
    "randbytes": lambda: random.randbytes(8).hex(),
    "Random()": lambda: random.Random().random(),
    "Random.seed()": lambda: reseeded(random.Random(1)).random(),
    "uuid4": lambda: uuid.uuid4(),
    "uuid4 held": lambda: uuid4(),
    "uuid1": lambda: uuid1(),
    "uuid1(node)": lambda: uuid.uuid1(node=5, clock_seq=7),
    "a default of a model": lambda: Event(),
}
for _name in ("uuid6", "uuid7"):
    if hasattr(uuid, _name):
        CALLS[_name] = getattr(uuid, _name)


def results(call: Callable[[], object]) -> Any:
    """What a workflow gets of three calls, in one replay."""

    async def body() -> list[str]:
        first = [repr(call()), repr(call())]
        await echo(1)
        return [*first, repr(call())]

    random.gauss(0, 1)  # leaves the second of two numbers behind
    return json.loads(played(body).execution.result or "null")


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_is_the_same_in_every_replay(name: str) -> None:
    first, second = results(CALLS[name]), results(CALLS[name])
    assert first is not None
    assert first == second


@pytest.mark.parametrize("name", [*(one for one in CALLS if "rand" in one.lower() or "uuid" in one), "gauss"])
def test_random_ones_differ_from_call_to_call(name: str) -> None:
    if name not in ("uuid1(node)",):
        assert len(set(results(CALLS[name]))) > 1


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_outside_workflow_code_it_is_the_real_one(name: str) -> None:
    if name == "uuid1(node)":
        return
    if "rand" in name.lower() or name in ("gauss", "choice", "sample", "shuffle") or "uuid" in name:
        assert CALLS[name]() != CALLS[name]()
    elif name in ("time", "time held"):
        assert abs(seconds() - datetime.now(UTC).timestamp()) < 60
    else:
        assert results(CALLS[name])[0] != repr(CALLS[name]())


def test_the_clocks_show_what_stepfast_now_shows() -> None:
    async def body() -> bool:
        await asyncio.sleep(3600)
        moment = stepfast.now()
        return (
            moment == datetime.now(UTC) == datetime.fromtimestamp(time.time(), UTC)
            and moment == datetime.fromtimestamp(time.time_ns() / 1e9, UTC)
            and moment.timestamp() == CREATED + 3600 == asyncio.get_running_loop().time() == time.monotonic()
            and date.today() == datetime.now().date()
        )

    assert played(body).execution.result == "true"


def test_each_task_draws_numbers_of_its_own() -> None:
    async def draw(first: bool) -> float:
        if first:
            await echo(1)
        return random.random()

    async def body(first: bool) -> list[float]:
        return list(await asyncio.gather(draw(first), draw(not first)))

    async def early() -> list[float]:
        return await body(True)

    async def late() -> list[float]:
        return await body(False)

    assert played(early).execution.result == played(late).execution.result


def test_a_seed_sets_the_workflows_own_numbers_and_nobody_elses() -> None:
    async def body() -> list[float]:
        random.seed(7)
        return [random.random(), random.Random(7).random()]

    state = random.getstate()
    mine, expected = json.loads(played(body).execution.result or "null")
    assert mine == expected
    assert random.getstate() == state


SECRETS: dict[str, Callable[[], object]] = {
    "secrets": lambda: secrets.token_hex(),
    "secrets.choice": lambda: secrets.choice("abc"),
    "SystemRandom": lambda: random.SystemRandom().random(),
    "os.urandom": lambda: os.urandom(8),
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_refused_with_what_to_write_instead(name: str) -> None:
    async def body() -> None:
        try:
            SECRETS[name]()
        except ForbiddenInWorkflow:
            pass

    error = started(body).error
    assert isinstance(error, ForbiddenInWorkflow)
    assert "in a step" in str(error)
    assert "stepfast.uuid4()" in str(error)
    assert SECRETS[name]() is not None


def test_code_that_waits_for_the_clock_to_move_is_refused() -> None:
    async def body() -> None:
        until = time.time() + 1
        while time.time() < until:
            pass

    error = started(body).error
    assert isinstance(error, ForbiddenInWorkflow)
    assert "asyncio.sleep" in str(error)


def test_log_records_bear_the_real_time(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> float:
        logging.getLogger("of.a.workflow").warning("so far")
        return random.random()

    before = time.time()
    with caplog.at_level(logging.WARNING):
        assert played(body).execution.result == played(body).execution.result
    assert all(before - 1 <= one.created <= time.time() + 1 for one in caplog.records)
    assert caplog.records


def test_other_threads_get_the_real_time_while_workflow_code_runs() -> None:
    found: list[float] = []
    begin = threading.Event()

    def wait_and_read() -> None:
        begin.wait(10)
        found.append(time.time())
        done.set()

    done, thread = threading.Event(), threading.Thread(target=wait_and_read)

    async def body() -> float:
        begin.set()
        done.wait(10)
        return time.time()

    thread.start()
    mine = float(played(body).execution.result or "nan")
    thread.join()
    assert mine == CREATED
    assert found[0] - CREATED > 3600


def test_finalizers_that_the_collector_runs_draw_nothing_from_the_workflow() -> None:
    import gc

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            random.random()
            uuid.uuid4()

    def body_of(collects: bool) -> Any:
        async def body() -> list[str]:
            Cycle()
            if collects:
                gc.collect()
            return [str(random.random()), str(uuid.uuid4())]

        return body

    gc.disable()
    try:
        assert played(body_of(True)).execution.result == played(body_of(False)).execution.result
    finally:
        gc.enable()


def test_datetime_is_what_it_was_in_all_else() -> None:
    now = datetime.now(UTC)
    assert type(now) is datetime
    assert pickle.loads(pickle.dumps(now)) == now
    assert type(Moment.now()) is type(Moment.today()) is Moment
    assert type(date.today()) is date
    with pytest.raises(TypeError, match="tzinfo"):
        datetime.now(5)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        time.localtime(1e30)
    assert tuple(time.gmtime(7))[:6] == (1970, 1, 1, 0, 0, 7)


def test_what_a_module_holds_from_before_is_found() -> None:
    module = types.ModuleType("of_a_user")
    module.held = time.time.__wrapped__  # type: ignore[attr-defined]
    sys.modules["of_a_user"] = module
    try:
        interception.install()
        assert module.held is time.time
    finally:
        del sys.modules["of_a_user"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_time_machine_travels_as_ever_and_workflow_code_stays_where_it_is() -> None:
    time_machine = pytest.importorskip("time_machine")
    there = [results(CALLS[one]) for one in CALLS]
    for year in (2001, 2002):
        with time_machine.travel(datetime(year, 5, 6, tzinfo=UTC), tick=False):
            assert datetime.now(UTC) == datetime(year, 5, 6, tzinfo=UTC)
            assert time.gmtime().tm_year == time.localtime().tm_year == date.today().year == year
            assert time.time() == seconds() == datetime(year, 5, 6, tzinfo=UTC).timestamp()
            assert [results(CALLS[one]) for one in CALLS] == there
        assert datetime.now(UTC).year > 2020
        assert time.time() > 1.7e9
    assert [results(CALLS[one]) for one in CALLS] == there


def test_what_somebody_undoes_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    guarded: Any = time.time
    monkeypatch.setattr(time, "time", guarded.__wrapped__)
    first = results(CALLS["time"])
    assert first == results(CALLS["time"])
