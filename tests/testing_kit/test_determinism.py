"""Same seed: same order, same jitter, same everything."""

import asyncio

import stepfast
from stepfast import step, workflow
from stepfast.testing import Environment
from tests.testing_kit.flows import Order, price, purchase


@step
async def work(number: int) -> int:
    return number


@workflow("racing")
async def racing() -> list[str]:
    order = []
    for done in asyncio.as_completed([work(number) for number in range(8)]):
        order.append(str(await done))
    return [*order, str(stepfast.uuid4()), str(stepfast.random())]


def raced(seed: int) -> list[str]:
    with Environment(racing, seed=seed) as env:
        return env.run(racing).result


def waits(seed: int) -> list[float]:
    with Environment(purchase, seed=seed) as env:
        env.fail(price, times=2)
        calls = env.run(purchase, Order(item="tea")).calls(price)
    return [(call.started_at - calls[0].started_at).total_seconds() for call in calls]


def test_one_seed_gives_one_order() -> None:
    assert raced(0) == raced(0)
    assert raced(7) == raced(7)


def test_other_seeds_give_other_orders() -> None:
    assert len({tuple(raced(seed)) for seed in range(10)}) > 5


def test_without_a_seed_things_go_in_the_order_in_which_they_were_asked_for() -> None:
    assert raced(0)[:8] == [str(number) for number in range(8)]


def test_jitter_is_that_of_the_seed() -> None:
    assert waits(0) == waits(0)
    assert waits(1) == waits(1)
    assert waits(0) != waits(1)


def test_two_runs_are_alike_to_the_last_event() -> None:
    def history() -> tuple[list[str], list[object]]:
        with Environment(purchase, seed=3) as env:
            env.fail(price)
            env.crash(at=10)
            run = env.run(purchase, Order(item="tea"))
        return env.points, [(one.at, one.type, one.command) for one in run.history]

    assert history() == history()
