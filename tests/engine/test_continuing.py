"""What a run hands over to the next: pure, from a replay that has ended with ContinueAsNew."""

from __future__ import annotations

import asyncio

import pytest

from stepfast import ContinueAsNew, continue_suggested, signal, step, workflow
from stepfast.engine.continuing import next_run
from stepfast.language import continuing
from stepfast.model import Execution, Record
from stepfast.replay.replay import Replay

STARTED = Execution("one", "waits", "0", 1.0, generation=3, first_generation=2)


@step
def work(turn: int) -> int:
    return turn


@workflow("waits")
async def waits(turn: int) -> None:
    wait = asyncio.ensure_future(signal("go", int))
    await work(turn)
    raise ContinueAsNew(turn + (wait.result() if wait.done() else 1))


def ended(*applied: str) -> Replay:
    """A run whose step and whose wait both have an outcome, in this order."""
    replay = Replay(waits, STARTED)
    replay.advance({}, ())
    first, second = replay.outstanding.values()
    done, heard = (first, second) if first.kind == "step" else (second, first)
    records = {
        done.id: Record(done.id, "step", "work", "SUCCEEDED", 3, input=done.input, output="0", ended_at=2.0),
        heard.id: Record(heard.id, "signal", "go", "SUCCEEDED", 3, output="7", signal="s", ended_at=1.5),
    }
    replay.advance(records, [{"step": done.id, "signal": heard.id}[kind] for kind in applied])
    assert replay.finished
    return replay


def test_a_signal_that_the_code_has_seen_stays_behind() -> None:
    turn = next_run(STARTED, ended("signal", "step"), 9.0)
    assert (turn.execution.input, turn.taken) == ("7", ["s"])


def test_a_signal_whose_record_the_code_has_not_seen_goes_along() -> None:
    turn = next_run(STARTED, ended("step"), 9.0)
    assert (turn.execution.input, turn.taken) == ("1", [])


def test_the_next_run_begins_a_generation_and_the_earlier_one_has_ended() -> None:
    turn = next_run(STARTED, ended("step"), 9.0)
    new, old = turn.execution, turn.ended
    assert (new.run, new.generation, new.first_generation, new.resumes, new.run_began_at) == (2, 4, 4, 0, 9.0)
    assert (new.created_at, new.status, new.run_id) == (1.0, "RUNNING", "one~2")
    assert (old.run, old.generation, old.continued, old.ended_at, old.run_id) == (1, 3, True, 9.0, "one")


@workflow("long")
async def long(turn: int) -> list[bool]:
    answers: list[bool] = []
    while not answers or not answers[-1]:
        await work(turn)
        answers.append(continue_suggested())
    return answers


@pytest.mark.parametrize(("limit", "value", "expected"), [("COMMANDS", 5, 5), ("BYTES", 55, 5)])
def test_a_run_is_long_by_its_commands_and_by_its_bytes(
    limit: str, value: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuing, f"CONTINUE_AFTER_{limit}", value)
    execution = Execution("one", "long", "0", 1.0)
    records: dict[str, Record] = {}
    live = Replay(long, execution)
    live.advance({}, ())
    while not live.finished:
        (command,) = live.outstanding.values()
        record = Record(command.id, "step", "work", "SUCCEEDED", 0, input=command.input, output="0", ended_at=2.0)
        records[command.id] = record
        live.advance({command.id: record})
    again = Replay(long, execution)
    again.advance(records, ())
    assert live.result == again.result
    assert (live.result or "").count("false") == expected - 1
    for replay in (live, again):
        replay.close()
