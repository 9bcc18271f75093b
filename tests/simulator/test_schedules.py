"""EventBridge Scheduler, which moto never fires; rules at a rate; asynchronous invocations."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepfast.simulator import resources
from stepfast.simulator.player import Player
from stepfast.simulator.rules import Rules
from stepfast.simulator.simulated_time import SimulatedTime
from tests.simulator.conftest import Toys, send, waiting

ROLE = "arn:aws:iam::123456789012:role/scheduler"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:q"


def schedule(name: str, expression: str, target: str = QUEUE, text: str = "{}", **options: Any) -> None:
    resources.client("scheduler").create_schedule(
        Name=name,
        GroupName="default",
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target, "RoleArn": ROLE, "Input": text},
        **options,
    )


def names() -> list[str]:
    return [one["Name"] for one in resources.client("scheduler").list_schedules()["Schedules"]]


@pytest.fixture
def queue(player: Player) -> str:
    return resources.create_queue("q")


def test_a_schedule_fires_once_at_its_time_and_is_deleted(player: Player, queue: str) -> None:
    schedule("once", "at(2030-01-03T12:00:00)", text='{"x":1}', ActionAfterCompletion="DELETE")
    player.advance(timedelta(days=2, hours=11, minutes=59))
    assert waiting(queue) == []
    assert names() == ["once"]
    player.advance(timedelta(minutes=1))
    assert waiting(queue) == ['{"x":1}']
    assert names() == []


def test_a_schedule_without_the_action_stays(player: Player, queue: str) -> None:
    schedule("stays", "at(2030-01-01T01:00:00)")
    player.advance(timedelta(days=1))
    assert (waiting(queue), names()) == (["{}"], ["stays"])


def test_a_time_zone_counts(player: Player, queue: str) -> None:
    schedule("berlin", "at(2030-01-01T12:00:00)", ScheduleExpressionTimezone="Europe/Berlin")
    player.advance(timedelta(hours=11))
    assert waiting(queue) == ["{}"]


def test_a_deleted_schedule_does_not_fire(player: Player, queue: str) -> None:
    schedule("gone", "at(2030-01-01T01:00:00)")
    resources.client("scheduler").delete_schedule(Name="gone", GroupName="default")
    player.advance(timedelta(days=1))
    assert waiting(queue) == []


def test_a_schedule_starts_a_function_and_is_tried_again_when_that_fails(player: Player, toys: Toys) -> None:
    def fail_first(event: Any) -> None:
        if len(toys.events) < 3:
            raise ValueError("no")

    arn = toys.function(fail_first).arn
    schedule("start", "at(2030-01-01T00:10:00)", arn, '{"at": "<aws.scheduler.scheduled-time>"}')
    player.advance(timedelta(hours=1))
    assert [event for _, event in toys.events] == [{"at": "2030-01-01T00:10:00Z"}] * 3
    assert toys.times == [600, 660, 780]


def test_a_rate_fires_again_and_again(player: Player, queue: str) -> None:
    schedule("often", "rate(10 minutes)")
    player.advance(timedelta(0))
    assert len(waiting(queue)) == 1  # at once, as without a StartDate
    player.advance(timedelta(minutes=35))
    assert len(waiting(queue)) == 4


def test_a_cron_fires_at_its_times_in_its_zone(player: Player, queue: str) -> None:
    text = '"<aws.scheduler.scheduled-time>"'
    schedule("noons", "cron(0 12 ? * WED,FRI *)", text=text, ScheduleExpressionTimezone="Europe/Berlin")
    player.advance(timedelta(days=7))
    assert waiting(queue) == ['"2030-01-02T11:00:00Z"', '"2030-01-04T11:00:00Z"']
    assert names() == ["noons"]


def test_a_cron_that_never_comes_again_is_deleted_if_it_is_to_be(player: Player, queue: str) -> None:
    schedule("last", "cron(0 12 3 1 ? 2030)", ActionAfterCompletion="DELETE")
    player.advance(timedelta(days=1))
    assert names() == ["last"]
    player.advance(timedelta(days=2))
    assert (waiting(queue), names()) == (["{}"], [])


@pytest.mark.parametrize("expression", ["cron(0 12 * * * *)", "rate(0 minutes)", "at(tomorrow)", "every day"])
def test_what_scheduler_does_not_take_is_refused(player: Player, queue: str, expression: str) -> None:
    with pytest.raises(ValueError, match="Scheduler takes no such schedule"):
        schedule("wrong", expression)


def test_schedules_may_fire_late_and_twice() -> None:
    with Player(SimulatedTime(seed=3, rules=Rules(late=60.0, duplicates=1.0))) as player:
        resources.create_queue("q")
        schedule("once", "at(2030-01-01T01:00:00)")
        player.advance(timedelta(hours=1))
        assert waiting("q") == []
        player.advance(timedelta(minutes=2))
        assert waiting("q") == ["{}", "{}"]


def test_a_rule_fires_at_multiples_of_its_period_and_rests_while_nothing_happens(player: Player, toys: Toys) -> None:
    player.every(300, toys.function(lambda event: None), {"sweep": True})
    queue = resources.create_queue("q")
    player.advance(timedelta(minutes=6))
    assert toys.times == [300]
    player.advance(timedelta(days=30) - timedelta(minutes=6))
    assert len(toys.events) < 20
    send(queue, "something happens")
    player.advance(timedelta(minutes=5))
    assert toys.times[-1] == timedelta(days=30, minutes=5).total_seconds()


def test_the_start_may_be_any_time() -> None:
    start = datetime(2031, 5, 5, 12, 0, 1, tzinfo=UTC)
    with Player(SimulatedTime(start=start)) as player:
        assert player.now == start == datetime.now(UTC)
    assert datetime.now(UTC) != start
    with pytest.raises(ValueError, match="time zone"):
        Player(SimulatedTime(start=datetime(2030, 1, 1)))  # noqa: DTZ001
