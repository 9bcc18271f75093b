"""What the commands of an execution are shown as, from its items alone."""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast import signal, step, workflow
from stepfast.http.models import CommandView
from stepfast.http.timeline import ordered, overdue_in, views_of
from stepfast.http.views import time
from stepfast.language.registry import Registry
from stepfast.model import Attempt, Chained, Cursor, Execution, Failure, Record, Snapshot
from stepfast.replay.replay import Replay
from stepfast.stored_text import StoredText

NOW = 1_800_000_000.0


@step(pool="first-pool")
def one() -> int:
    return 1


@step(pool="second-pool")
def two(n: int) -> int:
    return n


@workflow("chain")
async def chain() -> int:
    try:
        return await two(await one())
    except Exception:
        return await one()


REGISTRY = Registry([chain], [one, two])


def shown(records: list[Record], flow: Any = chain, applied: tuple[str, ...] = (), **execution: Any) -> dict[str, Any]:
    held = Execution("e", flow.name, "null", NOW, **execution)
    snapshot = Snapshot(held, Cursor(applied), {record.id: record for record in records})
    replay = Replay(flow, held)
    replay.advance(snapshot.records, applied)
    replay.close()
    views = commands_of(snapshot, replay, Registry([flow], REGISTRY.steps))
    return {view.id: view for view in views}


def commands_of(
    snapshot: Snapshot, replay: Replay | None, registry: Registry, largest: int | None = None, now: float = 0.0
) -> list[CommandView]:
    return views_of(ordered(snapshot, replay), snapshot.execution, registry, largest, now)


def done(id: str, at: float = NOW + 2, **more: Any) -> Record:
    more = {"output": "1", "input": "{}", **more}
    return Record(id, "step", id.partition("#")[0], "SUCCEEDED", 0, attempt=1, first_at=NOW + 1, started_at=NOW + 1,
                  ended_at=at, **more)  # fmt: skip


def test_a_dispatched_step_is_open() -> None:
    view = shown([])["one"]
    assert (view.status, view.attempt, view.pool, view.first_at) == (
        "OPEN",
        0,
        "first-pool",
        "2027-01-15T08:00:00.000000Z",
    )
    assert view.attempts == []


def test_a_step_that_is_only_asked_for_has_the_key_that_it_will_have() -> None:
    asked = shown([done("one")])["two"]
    then = Chained("two", NOW + 300, 0, "", NOW + 2)
    claimed = shown([done("one", then=then)])["two"]
    ended = shown([done("one"), done("two", input='{"n":1}')])["two"]
    assert [view.status for view in (asked, claimed, ended)] == ["OPEN", "RUNNING", "SUCCEEDED"]
    assert asked.idempotency_key is not None
    assert asked.idempotency_key == claimed.idempotency_key == ended.idempotency_key
    assert shown([done("one"), done("two", input='{"n":2}')])["two"].idempotency_key != asked.idempotency_key


def test_a_step_whose_input_nobody_can_tell_has_no_key() -> None:
    reopened = Record("two", "step", "two", "OPEN", 1, revision=3)
    held = Execution("e", "gone", "null", NOW, generation=1)
    (view,) = commands_of(Snapshot(held, Cursor(), {"two": reopened}), None, REGISTRY)
    assert (view.input, view.idempotency_key) == (None, None)


def test_no_large_values() -> None:
    snapshot = Snapshot(Execution("e", "gone", "null", NOW), Cursor(), {id: done(id) for id in ("one", "two")})
    _, view = commands_of(snapshot, None, REGISTRY, largest=1)
    assert (view.id, view.input, view.output, view.omitted) == ("two", None, 1, {"input": 2})


def test_a_large_value_that_is_not_shown_is_not_read() -> None:
    def read() -> str:
        raise AssertionError("it is not shown")

    stored = StoredText(read, 5000, "00", None)
    unknown = StoredText(read, None, "01", None)
    held = done("two", input=stored, output=unknown)
    snapshot = Snapshot(Execution("e", "gone", "null", NOW), Cursor(), {"two": held})
    (view,) = commands_of(snapshot, None, REGISTRY, largest=1000)
    assert (view.input, view.output, view.omitted) == (None, None, {"input": 5000, "output": None})
    assert (view.label, view.idempotency_key) == (None, None)


def test_a_step_claimed_by_its_predecessor_is_running() -> None:
    then = Chained("two", NOW + 300, 0, "", NOW + 2)
    view = shown([done("one", then=then)])["two"]
    assert (view.status, view.attempt, view.input) == ("RUNNING", 1, {"n": 1})
    assert view.started_at == view.first_at == "2027-01-15T08:00:02.000000Z"
    assert [(attempt.attempt, attempt.started_at, attempt.ended_at) for attempt in view.attempts] == [
        (1, view.started_at, None)
    ]


def test_a_claim_of_an_earlier_generation_counts_no_more() -> None:
    then = Chained("two", NOW + 300, 0, "", NOW + 2)
    assert shown([done("one", then=then)], generation=1)["two"].status == "OPEN"


def test_a_reopened_step_is_open_with_the_input_that_the_code_asks_for() -> None:
    reopened = Record("two", "step", "two", "OPEN", 1, revision=3)
    view = shown([done("one"), reopened], generation=1)["two"]
    assert (view.status, view.generation, view.input) == ("OPEN", 1, {"n": 1})


def test_a_reopened_compensation_that_is_not_asked_for_is_left_out() -> None:
    undone = Record("one#2", "step", "one", "OPEN", 1, revision=2)
    assert set(shown([done("one"), undone], generation=1)) == {"one", "two"}
    assert set(shown([done("one"), done("two", input='{"n":1}'), undone], generation=1, status="SUCCEEDED")) == {
        "one",
        "two",
    }


def test_a_retrying_step_tells_its_tries_and_when_it_is_due() -> None:
    failure = Failure("OSError", "down", "one", "traceback")
    past = Attempt(1, NOW + 1, NOW + 2, failure, NOW + 9)
    record = Record("one", "step", "one", "RETRYING", 0, attempt=1, input="{}", error=failure, due=NOW + 9,
                    first_at=NOW + 1, started_at=NOW + 1, attempts=(past,))  # fmt: skip
    view = shown([record])["one"]
    assert (view.status, view.due) == ("RETRYING", "2027-01-15T08:00:09.000000Z")
    assert [(attempt.attempt, attempt.next_at) for attempt in view.attempts] == [(1, "2027-01-15T08:00:09.000000Z")]


def test_commands_come_in_the_order_of_time_then_as_issued() -> None:
    @workflow("many")
    async def many() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(signal("b"), signal("a"), two(1), two(2))

    late = Record("two", "step", "two", "RUNNING", 0, attempt=1, input='{"n":1}', first_at=NOW + 5, started_at=NOW + 5)
    views = shown([late], many)
    assert list(views)[-1] == "two"
    assert [id for id in views if "signal" in id] == ["signal/signal:b", "signal#2/signal:a"]
    assert {view.status for id, view in views.items() if id != "two"} == {"OPEN"}


def test_a_step_tells_when_it_was_asked_for_and_when_a_worker_took_it() -> None:
    first = Record("one", "step", "one", "SUCCEEDED", 0, attempt=1, input="{}", output="1", first_at=NOW + 5,
                   started_at=NOW + 5, ended_at=NOW + 7)  # fmt: skip
    views = shown([first], applied=("one",))
    assert (views["one"].asked_at, views["one"].first_at) == (time(NOW), time(NOW + 5))
    assert views["two"].asked_at == time(NOW + 7)  # as soon as it had the result that it needed


def test_a_timeout_that_was_not_needed_is_left_out() -> None:
    @workflow("hasty")
    async def hasty() -> int:
        async with asyncio.timeout(60):
            await one()
        return await two(1)

    views = shown([done("one")], hasty, applied=("one",))
    assert {id: view.status for id, view in views.items()} == {"one": "SUCCEEDED", "two": "OPEN"}


def test_what_a_succeeded_workflow_has_left_running_is_cancelled() -> None:
    @workflow("careless")
    async def careless() -> None:
        left = asyncio.create_task(two(1))
        unbegun = asyncio.create_task(two(2))
        await one()
        del left, unbegun

    running = Record("two", "step", "two", "RUNNING", 0, attempt=1, input='{"n":1}', first_at=NOW, started_at=NOW)
    views = shown([running, done("one")], careless, applied=("one",), status="SUCCEEDED", result="null")
    assert {id: view.status for id, view in views.items()} == {"one": "SUCCEEDED", "two": "CANCELLED"}


def test_a_finished_failure_shows_siblings_that_were_still_waited_for() -> None:
    @workflow("siblings")
    async def siblings() -> None:
        await asyncio.gather(one(), two(2))

    failure = Failure("OSError", "down", "one")
    failed = Record(
        "one", "step", "one", "FAILED", 0, attempt=1, input="{}", error=failure, first_at=NOW, ended_at=NOW + 1
    )
    views = shown([failed], siblings, applied=("one",), status="FAILED")
    assert {id: view.status for id, view in views.items()} == {"one": "FAILED", "two": "OPEN"}


@workflow("sleeps")
async def sleeps() -> None:
    await asyncio.sleep(100)


def overdue(record: Record | None, now: float, flow: Any = chain, **execution: Any) -> bool:
    """Whether the one command is shown as overdue at a time, which the answer's tag must tell as well."""
    held = Execution("e", flow.name, "null", NOW, **execution)
    snapshot = Snapshot(held, Cursor(), {record.id: record} if record else {})
    replay = Replay(flow, held)
    replay.advance(snapshot.records, ())
    replay.close()
    view = commands_of(snapshot, replay, Registry([flow], REGISTRY.steps), now=now)[0]
    if record is not None:
        assert bool(overdue_in(snapshot, now)) == view.overdue
    return view.overdue


def test_what_should_have_gone_on_a_minute_ago_is_overdue() -> None:
    retrying = Record("one", "step", "one", "RETRYING", 0, attempt=1, started_at=NOW, due=NOW + 30)
    running = Record("one", "step", "one", "RUNNING", 0, attempt=1, started_at=NOW, lease=NOW + 30)
    for record in (retrying, running):
        assert [overdue(record, NOW + at) for at in (29, 89, 91)] == [False, False, True]
        assert not overdue(record, NOW + 91, status="FAILED")
    assert [overdue(None, NOW + at, sleeps) for at in (99, 159, 161)] == [False, False, True]
    assert not overdue(done("one"), NOW + 1000)
    assert not overdue(None, NOW + 1_000_000)  # who waits for a worker has no time of its own
