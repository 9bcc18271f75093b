"""How commands are named, and how the order of results is decided and kept."""

import asyncio
from typing import Any

import pytest

from stepfast import signal, step, workflow
from stepfast.model import Execution, Record
from stepfast.replay.replay import Replay
from tests.replay.driver import CREATED, Play, last, played, started
from tests.replay.steps import double, echo, note


def ids(body: Any) -> list[str]:
    replay = started(body)
    replay.close()
    return list(replay.issued)


def test_a_step_is_named_by_its_use_in_its_task() -> None:
    async def body() -> None:
        await asyncio.gather(echo(1), double(2), echo(3), note("x"), echo(5))

    assert ids(body) == ["echo", "double", "echo#2", "note", "echo#3"]


def test_a_nested_task_lends_its_path() -> None:
    async def body() -> None:
        await asyncio.gather(branch(), branch(), echo(0))

    async def branch() -> None:
        await asyncio.gather(echo(1), twig())

    async def twig() -> None:
        await asyncio.gather(echo(2), echo(3))

    assert set(ids(body)) == {
        "echo",
        "branch/echo",
        "branch#2/echo",
        "branch/twig/echo",
        "branch/twig/echo#2",
        "branch#2/twig/echo",
        "branch#2/twig/echo#2",
    }


def test_a_task_of_one_step_is_that_step() -> None:
    async def body() -> None:
        task = asyncio.create_task(echo(1), name="called otherwise")
        await asyncio.wait([task, asyncio.ensure_future(asyncio.shield(echo(2)))])

    assert ids(body) == ["echo", "echo#2"]


def test_timers_and_signals_have_names_of_their_own() -> None:
    async def body() -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(asyncio.sleep(1), signal("go", timeout=9), signal("go"), echo(1))

    assert set(ids(body)) == {
        ":timer",
        "sleep/:timer",
        "signal/:timer",
        "signal/signal:go",
        "signal#2/signal:go",
        "echo",
    }


def test_a_renamed_function_keeps_the_name_given_to_the_step() -> None:
    @step(name="charge.v1")
    def other(n: int) -> int:
        return n

    async def body() -> int:
        return await other(1)

    assert ids(body) == ["charge.v1"]


def test_tasks_started_as_results_come_are_numbered_in_the_durable_order() -> None:
    async def body() -> list[int]:
        tasks = []
        for done in asyncio.as_completed([echo(n) for n in range(3)]):
            tasks.append(asyncio.create_task(double(await done)))
        return [await task for task in tasks]

    for choose, expected in ((last, "[4,2,0]"), (lambda ready: ready[0], "[0,2,4]")):
        play = Play(workflow("w")(body))
        play.run(choose)
        assert play.execution.result == expected
        again = Replay(play.workflow, play.execution)
        again.advance(play.records, play.applied)
        assert again.result == expected


def record(id: str, at: float, status: Any = "SUCCEEDED", output: str | None = "1") -> Record:
    return Record(id, "step", id.split("#")[0], status, 0, output=output, ended_at=at)


async def racing() -> list[int]:
    return [await one for one in asyncio.as_completed([echo(n) for n in range(3)])]


def replay_of(records: list[Record], applied: list[str], extend: bool) -> Replay:
    replay = Replay(workflow("w")(racing), Execution("e", "w", "null", CREATED))
    replay.advance({one.id: one for one in records}, applied, extend=extend)
    replay.close()
    return replay


ENDED = [record("echo", 30.0, output="0"), record("echo#2", 10.0), record("echo#3", 20.0, output="2")]


def test_results_are_applied_by_the_time_they_ended() -> None:
    replay = replay_of(ENDED, [], extend=True)
    assert replay.applied == ["echo#2", "echo#3"]
    assert replay.result == "[1,2,0]"


def test_results_of_one_moment_are_applied_by_their_ids() -> None:
    replay = replay_of([record("echo#3", 5.0, output="2"), record("echo#2", 5.0), record("echo", 5.0)], [], True)
    assert replay.applied == ["echo", "echo#2"]


def test_a_decided_order_wins_over_the_times() -> None:
    replay = replay_of(ENDED, ["echo", "echo#3"], extend=True)
    assert replay.result == "[0,2,1]"
    assert replay.applied == ["echo", "echo#3"]


def test_a_decided_order_is_extended_not_changed() -> None:
    replay = replay_of(ENDED, ["echo"], extend=True)
    assert replay.applied == ["echo", "echo#2"]
    assert replay.result == "[0,1,2]"


def test_without_leave_to_extend_nothing_is_chosen() -> None:
    replay = replay_of(ENDED, [], extend=False)
    assert (replay.applied, replay.finished, len(replay.outstanding)) == ([], False, 3)


def test_the_last_one_outstanding_needs_no_order() -> None:
    replay = replay_of(ENDED, ["echo#2", "echo"], extend=False)
    assert replay.result == "[1,0,2]"


def test_records_older_than_the_order_are_stale_and_nothing_is_decided() -> None:
    replay = replay_of(ENDED[:1], ["echo#2"], extend=True)
    assert replay.stale
    assert (replay.applied, replay.taken) == (["echo#2"], {})


def test_fresh_records_cure_staleness() -> None:
    replay = Replay(workflow("w")(racing), Execution("e", "w", "null", CREATED))
    replay.advance({"echo": ENDED[0]}, ["echo#2"], extend=True)
    assert bool(replay.stale)
    replay.advance({one.id: one for one in ENDED}, ["echo#2"], extend=True)
    assert not replay.stale
    assert replay.result == "[1,2,0]"


@pytest.mark.parametrize("status", ["OPEN", "RUNNING", "RETRYING"])
def test_a_record_without_an_outcome_is_not_applied(status: Any) -> None:
    replay = replay_of([*ENDED[1:], record("echo", 1.0, status, None)], [], extend=True)
    assert list(replay.outstanding) == ["echo"]


def test_a_result_of_a_command_taken_back_is_passed_over() -> None:
    async def body() -> int:
        task = asyncio.create_task(echo(1))
        await asyncio.sleep(0)
        task.cancel()
        return sum(await asyncio.gather(double(2), double(3)))

    play = Play(workflow("w")(body))
    play.records["echo"] = record("echo", 1.0)
    play.run()
    assert play.execution.result == "10"
    assert "echo" not in play.applied


def test_what_is_outstanding_stands_in_the_order_asked_for() -> None:
    play = played(racing)
    replay = Replay(play.workflow, play.execution)
    replay.advance({})
    assert [(one.id, one.input, one.issued_at) for one in replay.outstanding.values()] == [
        ("echo", '{"value":0}', CREATED),
        ("echo#2", '{"value":1}', CREATED),
        ("echo#3", '{"value":2}', CREATED),
    ]
    replay.close()


def test_a_timer_never_comes_before_one_that_was_due_earlier() -> None:
    """Timers are recorded by whoever gets to them first; asyncio fires them in the order of their times."""
    seen: list[str] = []

    async def after(delay: float, name: str) -> None:
        await asyncio.sleep(delay)
        seen.append(name)

    async def body() -> None:
        await asyncio.gather(after(20, "late"), after(10, "early"), note("x"))

    replay = started(body)
    timers = {one.due: one.id for one in replay.outstanding.values() if one.kind == "timer"}
    late, early = timers[CREATED + 20], timers[CREATED + 10]

    def fired(id: str, at: float) -> dict[str, Record]:
        return {id: Record(id, "timer", "timer", "SUCCEEDED", 0, ended_at=at)}

    replay.advance(fired(late, CREATED + 30), extend=True)
    assert replay.applied == []
    replay.advance(
        {"note": Record("note", "step", "note", "SUCCEEDED", 0, output='"x"', ended_at=CREATED + 31)}, extend=True
    )
    assert replay.applied == ["note"]
    replay.advance(fired(early, CREATED + 32), extend=True)
    replay.close()
    assert replay.applied[:2] == ["note", early]
    assert seen == ["early", "late"]
