"""Random workflows that fail and are resumed: what succeeded before the failure never runs again."""

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from stepfast import step, workflow
from stepfast.replay.replay import Replay
from tests.engine.rewinding import Resumable, down
from tests.lanes import examples
from tests.replay.shapes import Runs, Shape, add, fail, shapes, shuffled, sleeps, steps

ids = st.integers(0, 2**32)
services = st.sampled_from(["flaky-a", "flaky-b", "flaky-c"])


@step
async def flaky(service: str) -> str:
    if service in down:
        raise ConnectionError(service)
    return service


class Fragile(Runs):
    """Shapes that let failures out: a flaky step, compensation that raises again, a chained error."""

    async def _flaky(self, service: str) -> str:
        return await flaky(service)

    async def _together(self, *parts: Shape) -> list[Any]:
        return await asyncio.gather(*(self.run(one) for one in parts))

    async def _saga(self, shape: Shape, *compensation: Shape) -> Any:
        try:
            return await self.run(shape)
        except Exception:
            await asyncio.gather(*(self.run(one) for one in compensation))
            raise

    async def _chained(self, *parts: Shape) -> Any:
        try:
            return await self._seq(*parts)
        except Exception as error:
            raise RuntimeError("chained") from error


@workflow("fragile")
async def fragile(shape: Shape) -> Any:
    return await Fragile(add, fail, asyncio.sleep).run(shape)


def fragile_shapes() -> st.SearchStrategy[Shape]:
    inner = shapes(
        steps | sleeps | services.map(lambda name: ["flaky", name]),
        "seq",
        "seq",
        "together",
        "group",
        "limited",
        "chained",
    )
    harmless = shapes(steps | sleeps, "seq", "gather", max_leaves=3)
    saga = st.tuples(inner, st.lists(harmless, max_size=3)).map(lambda pair: ["saga", pair[0], *pair[1]])
    return st.lists(saga | inner, min_size=1, max_size=3).map(lambda parts: ["seq", *parts])


def failed(shape: Shape, seed: int) -> Resumable:
    play = Resumable(fragile, json.dumps(shape))
    down.clear()
    down.update({"flaky-a", "flaky-b", "flaky-c"})
    play.run(shuffled(seed))
    assume(play.execution.status == "FAILED")
    return play


def before_the_failure(play: Resumable) -> set[str]:
    """Ids whose success the code had seen before the first of the failures behind the end, by a replay's account."""
    replay = Replay(fragile, play.execution)
    replay.advance(play.records, play.applied)
    replay.close()
    taken = list(replay.taken)
    first = min(taken.index(id) for id in play.execution.causes)
    return {id for id in taken[:first] if play.records[id].status == "SUCCEEDED"}


thorough = settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))


@thorough
@given(fragile_shapes(), ids, ids)
def test_one_resume_comes_to_the_result_of_an_execution_that_never_failed(shape: Shape, seed: int, other: int) -> None:
    play = failed(shape, seed)
    never = Resumable(fragile, json.dumps(shape))
    down.clear()
    never.run(shuffled(other))
    play.resume()
    play.run(shuffled(other))
    event(f"{len(play.records) // 3 * 3} records or more")
    assert play.execution.error is None
    assert play.execution.result == never.execution.result


@thorough
@given(fragile_shapes(), ids)
def test_results_recorded_before_the_failure_are_never_opened_nor_run_again(shape: Shape, seed: int) -> None:
    play = failed(shape, seed)
    kept = {id: play.records[id] for id in before_the_failure(play)}
    play.resume()
    assert kept.keys().isdisjoint(play.opened)
    down.clear()
    play.ran.clear()
    play.run(shuffled(seed))
    assert kept.keys().isdisjoint(play.ran)
    assert {id: play.records[id] for id in kept} == kept


@thorough
@given(fragile_shapes(), ids)
def test_what_was_asked_for_before_the_failure_stays_but_for_failures(shape: Shape, seed: int) -> None:
    play = failed(shape, seed)
    before = dict(play.records)
    play.resume()
    replay = Replay(fragile, play.execution)
    replay.advance(play.records, play.applied)
    replay.close()
    assert not replay.finished
    failures = {id for id, one in before.items() if one.status == "FAILED"}
    for id in play.opened:
        assert id in failures or id not in replay.issued
    assert all(play.records[id] == one for id, one in before.items() if id not in play.opened)


@thorough
@given(fragile_shapes(), ids)
def test_every_outcome_that_is_overwritten_is_kept_in_the_history(shape: Shape, seed: int) -> None:
    play = failed(shape, seed)
    before = dict(play.records)
    plan = play.resume()
    for id in play.opened:
        told = [one.type for one in plan.history if one.command == id]
        assert f"{before[id].kind}-{before[id].status.lower()}" in told
        assert told[-1] == "command-reopened"


@thorough
@given(fragile_shapes(), ids, st.lists(services, unique=True))
def test_resumes_into_a_lasting_outage_change_nothing_but_the_generation(
    shape: Shape, seed: int, back: list[str]
) -> None:
    play = failed(shape, seed)
    kept = before_the_failure(play)
    down.difference_update(back)
    for generation in (1, 2):
        play.resume()
        play.ran.clear()
        play.run(shuffled(seed))
        assert kept.isdisjoint(play.ran)
        assert play.execution.generation == generation
        if play.execution.status != "FAILED":
            return
        kept |= before_the_failure(play)
