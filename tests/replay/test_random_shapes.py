"""Random workflows under random orders of completion: asyncio's results, stable ids, one truth in any process."""

import copy
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from stepfast.replay.replay import Replay
from tests import lanes
from tests.lanes import examples
from tests.replay.driver import Play
from tests.replay.histories import facts, stored
from tests.replay.shapes import Shape, any_shape, on_plain_asyncio, shaped, shuffled, structural

seeds = st.integers(0, 2**32)
thorough = settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))


def play(shape: Shape, seed: int) -> Play:
    one = Play(shaped, json.dumps(shape))
    one.run(shuffled(seed))
    return one


@thorough
@given(any_shape, seeds)
def test_the_result_is_the_one_of_plain_asyncio(shape: Shape, seed: int) -> None:
    one = play(shape, seed)
    event(f"{len(one.ran) // 3 * 3} to {len(one.ran) // 3 * 3 + 2} commands")
    assert one.execution.error is None
    assert json.loads(one.execution.result or "") == on_plain_asyncio(shape, seed)


@thorough
@given(structural, st.lists(seeds, min_size=2, max_size=3, unique=True))
def test_ids_and_inputs_do_not_depend_on_what_finishes_first(shape: Shape, orders: list[int]) -> None:
    commands = []
    for seed in orders:
        replay = play(shape, seed).replay()
        commands.append({one.id: (one.kind, one.name, one.input) for one in replay.issued.values()})
    assert all(one == commands[0] for one in commands)


@thorough
@given(structural, seeds, seeds)
def test_a_step_added_in_a_sequence_leaves_the_other_ids_alone(shape: Shape, place: int, seed: int) -> None:
    grown = copy.deepcopy(["seq", shape])
    random.Random(place).choice(sequences(grown)).insert(random.Random(place).randint(1, 2), ["extra"])
    before = play(["seq", shape], seed).replay().issued
    after = play(grown, seed).replay().issued
    assert {id: one.input for id, one in after.items() if one.name != "extra"} == {
        id: one.input for id, one in before.items()
    }


def sequences(shape: Shape) -> list[Shape]:
    found = [shape] if shape[0] == "seq" else []
    return found + [one for part in shape if isinstance(part, list) for one in sequences(part)]


@thorough
@given(any_shape, seeds)
def test_going_on_in_portions_is_the_same_as_from_scratch_at_every_point(shape: Shape, seed: int) -> None:
    one, choose = Play(shaped, json.dumps(shape)), shuffled(seed)
    live = Replay(shaped, one.execution)
    live.advance({}, extend=True)
    while True:
        scratch = one.replay()
        assert facts(scratch) == facts(live)
        if scratch.finished:
            return
        record = one.end(choose(list(scratch.outstanding.values())))
        live.advance({record.id: record}, extend=True)


@thorough
@given(any_shape, seeds)
def test_results_that_come_together_are_put_in_one_order_for_good(shape: Shape, seed: int) -> None:
    one, draw = Play(shaped, json.dumps(shape)), random.Random(seed)
    while not (replay := one.replay()).finished:
        for command in draw.sample(list(replay.outstanding.values()), draw.randint(1, len(replay.outstanding))):
            one.end(command)
    again = Replay(shaped, one.execution)
    again.advance(dict(reversed(one.records.items())), one.applied)
    assert facts(again) == facts(replay)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(any_shape, seeds)
def test_a_worker_that_may_not_extend_the_order_stops_at_its_end(shape: Shape, seed: int) -> None:
    one = play(shape, seed)
    for length in range(len(one.applied)):
        replay = Replay(shaped, one.execution)
        replay.advance(one.records, one.applied[:length])
        assert replay.applied == list(one.applied[:length])
        assert not replay.finished
        assert len(replay.outstanding) > 1
        replay.close()


def test_histories_replay_alike_in_processes_with_other_hash_seeds(tmp_path: Path) -> None:
    """Also with other addresses: every process has its own."""
    histories: list[dict[str, Any]] = []

    @settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(any_shape, seeds)
    def collect(shape: Shape, seed: int) -> None:
        histories.append(stored(play(shape, seed)))

    collect()
    file = tmp_path / "histories.json"
    file.write_text(json.dumps(histories))
    for seed in ("1", "77", str(lanes.seed(4711))):
        ran = subprocess.run(
            [sys.executable, "-m", "tests.replay.histories", str(file)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stderr == ""
        for seen, one in zip(json.loads(ran.stdout), histories, strict=True):
            assert seen == one["facts"]
