"""Three agents in a gather, and the process dies: nothing is lost, and no request that has a result is repeated."""

from typing import Any

import pytest

from stepfast.testing import Environment, MotoCloud
from tests.integrations.agents.clerks import EXPECTED, ask_three, requests
from tests.lanes import SOAK

AGENTS = ("clerk", "scout", "writer")


def every_point() -> range:
    with Environment(ask_three, check_replays=False) as env:
        env.run(ask_three, "hello")
        return range(len(env.points))


def every_call() -> range:
    with MotoCloud(ask_three) as cloud:
        cloud.run(ask_three, "hello")
        return range(2, len(cloud.calls))


POINTS = every_point() if SOAK else (*range(3, 85, 11), 88, 89)
CALLS = every_call() if SOAK else (17, 38)


def assert_nothing_recorded_ran_again(run: Any) -> None:
    recorded: set[str] = set()
    for event in run.history:
        if event.type == "attempt-started":
            assert event.command not in recorded, f"{event.command} ran again:\n{run.timeline}"
        if event.type == "step-succeeded":
            recorded.add(event.command)
    assert len(recorded) == 12


@pytest.mark.parametrize("number", POINTS)
def test_a_crash_at_any_point_loses_nothing(number: int) -> None:
    requests.clear()
    with Environment(ask_three, check_replays=False) as env:
        env.crash(at=number)
        run = env.run(ask_three, "hello")
    assert run.result == [EXPECTED] * 3, env.crashes
    assert_nothing_recorded_ran_again(run)
    assert all(2 <= requests[agent] <= 3 for agent in AGENTS), requests


def test_each_run_has_the_same_points() -> None:
    points = set()
    for _ in range(3):
        with Environment(ask_three, check_replays=False) as env:
            env.run(ask_three, "hello")
            points.add(tuple(env.points))
    assert len(points) == 1


@pytest.mark.parametrize("number", CALLS)
def test_a_function_may_die_at_any_call_to_aws(number: int) -> None:
    with MotoCloud(ask_three) as cloud:
        cloud.kill_at(number, "after")
        run = cloud.run(ask_three, "hello")
    assert run.result == [EXPECTED] * 3, cloud.killed
    assert cloud.killed
    assert_nothing_recorded_ran_again(run)


def test_a_finished_request_survives_many_crashes() -> None:
    requests.clear()
    with Environment(ask_three, check_replays=False) as env:
        env.crash(after="record", times=12)
        run = env.run(ask_three, "hello")
    assert run.result == [EXPECTED] * 3
    assert requests == dict.fromkeys(AGENTS, 2)
