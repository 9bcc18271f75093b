"""What workflow code calls or starts and never awaits ends its execution, in both homes and in every replay."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import Retry, StepFailed, signal, step, workflow
from stepfast.testing import Environment, MotoCloud

pytestmark = pytest.mark.usefixtures("small_heap")
HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])
ONCE = Retry(max_attempts=1)


class Broken(Exception):
    pass


@step(retry=ONCE)
async def charge(n: int) -> int:
    return n


@step(retry=ONCE)
async def ship(n: int) -> int:
    return n


@step(retry=ONCE)
async def fail(n: int) -> int:
    raise Broken(f"no {n}")


async def helper(n: int) -> int:
    return await charge(n)


async def raises() -> None:
    raise Broken("in plain code")


def defined(body: Callable[[], Any]) -> Any:
    return workflow(body.__name__.replace("_", "-"))(body)


# -- what fails ---------------------------------------------------------------------------------------------


async def forgets_a_step() -> int:
    charge(1)  # type: ignore[unused-coroutine]
    return await ship(2)


async def keeps_a_step() -> int:
    kept = charge(1)
    await ship(2)
    return 1 if kept else 0


async def returns_a_step() -> Any:
    await ship(2)
    return charge(1)


async def forgets_a_coroutine() -> int:
    helper(1)  # type: ignore[unused-coroutine]
    return await ship(2)


async def forgets_to_wait() -> int:
    asyncio.sleep(60)  # type: ignore[unused-coroutine]
    signal("go")  # type: ignore[unused-coroutine]
    return await ship(2)


async def keeps_a_step_in_a_circle() -> int:
    circle: list[Any] = [charge(1)]
    circle.append(circle)
    await ship(2)
    return 1


async def forgets_in_a_task() -> int:
    async def careless() -> None:
        await ship(1)
        charge(1)  # type: ignore[unused-coroutine]

    await asyncio.gather(careless())
    return await ship(3)


async def leaves_a_failing_task() -> int:
    asyncio.create_task(fail(1))  # noqa: RUF006
    await asyncio.sleep(60)
    return await ship(2)


async def leaves_a_task_that_raises() -> int:
    asyncio.create_task(raises())  # noqa: RUF006
    return await ship(2)


async def keeps_tasks_as_the_manual_says() -> int:
    tasks = set()
    for n in (1, 2):
        task = asyncio.create_task(fail(n))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.sleep(60)
    return await ship(2)


async def leaves_a_failing_gather() -> int:
    asyncio.gather(fail(1), charge(2))
    await asyncio.sleep(60)
    return await ship(2)


STEP = "step 'charge' was called and never awaited: it has not run"
FAILING: list[tuple[Any, str, list[str]]] = [
    (forgets_a_step, STEP, []),
    (keeps_a_step, STEP, ["ship"]),
    (returns_a_step, STEP, ["ship"]),
    (forgets_a_coroutine, "coroutine 'helper' was made and never awaited: it has not run", []),
    (forgets_to_wait, "coroutine 'sleep' was made and never awaited: it has not run; coroutine 'signal'", []),
    (keeps_a_step_in_a_circle, STEP, ["ship"]),
    (forgets_in_a_task, STEP, ["ship"]),
    (
        leaves_a_failing_task,
        "task 'fail' failed, and nothing ever awaited it: StepFailed: step 'fail'",
        ["fail", "ship"],
    ),
    (leaves_a_task_that_raises, "task 'raises' failed, and nothing ever awaited it: Broken: in plain", ["ship"]),
    (keeps_tasks_as_the_manual_says, "task 'fail' failed, and nothing ever awaited it", ["fail", "fail", "ship"]),
    (leaves_a_failing_gather, "a gather() failed, and nothing ever awaited it", ["charge", "fail", "ship"]),
]


@HOMES
@pytest.mark.parametrize(("body", "said", "ran"), FAILING, ids=lambda one: getattr(one, "__name__", None))
@pytest.mark.filterwarnings("error")
def test_it_fails_and_names_what_was_left(home: Any, body: Any, said: str, ran: list[str]) -> None:
    flow = defined(body)
    with home(flow) as env:
        run = env.run(flow)
        assert run.error is not None, run
        assert (run.status, run.error.type) == ("FAILED", "NeverAwaited")
        assert said in run.error.message
        assert sorted(one.step for one in run.steps) == ran


@pytest.mark.parametrize(("body", "said", "ran"), FAILING, ids=lambda one: getattr(one, "__name__", None))
def test_it_is_the_same_after_a_crash_at_every_point(body: Any, said: str, ran: list[str]) -> None:
    flow = defined(body)
    with Environment(flow) as env:
        env.run(flow)
        points = len(env.points)
    for number in range(points):
        gc.collect()
        with Environment(flow) as env:
            env.crash(at=number)
            run = env.run(flow)
            assert run.error is not None
            assert run.error.type == "NeverAwaited"
            assert said in run.error.message


@HOMES
def test_once_mended_it_is_resumed(home: Any) -> None:
    awaited: list[bool] = []

    @workflow("mended")
    async def mended() -> int:
        receipt = 0
        if awaited:
            receipt = await charge(1)
        else:
            charge(1)  # type: ignore[unused-coroutine]
        await ship(2)
        return receipt

    with home(mended) as env:
        run = env.run(mended)
        assert run.status == "FAILED"
        awaited.append(True)
        env.resume(run)
        assert env.run_until(run).result == 1
        assert [one.step for one in run.steps] == ["charge", "ship"]


@HOMES
def test_a_resume_runs_the_step_behind_a_failed_task_again(home: Any) -> None:
    flow = defined(leaves_a_failing_task)
    with home(flow) as env:
        run = env.run(flow)
        assert run.error is not None
        assert run.error.step == "fail"
        env.fake(fail, 1)
        env.resume(run)
        assert env.run_until(run).result == 2  # what was decided after the failure is decided anew
        assert [one.step for one in run.steps] == ["fail", "ship", "fail", "ship"]


# -- what does not ----------------------------------------------------------------------------------------


async def ends_well_in_the_background() -> int:
    asyncio.create_task(charge(1))  # noqa: RUF006
    await asyncio.sleep(60)
    return 1


async def is_cancelled_at_the_end() -> int:
    asyncio.create_task(helper(1))  # noqa: RUF006
    asyncio.create_task(charge(1))  # noqa: RUF006
    asyncio.gather(charge(1), helper(2))
    return 1


async def closes_what_it_does_not_need() -> int:
    spare = charge(1)
    spare.close()
    helper(1).close()
    return 1


async def looks_at_the_exception_later() -> int:
    task = asyncio.create_task(fail(1))
    await asyncio.sleep(60)
    return 1 if isinstance(task.exception(), StepFailed) else 0


async def ignores_the_loser_of_a_race() -> int:
    async def late() -> int:
        await asyncio.sleep(30)
        return await fail(1)

    done, _ = await asyncio.wait(
        [asyncio.create_task(late()), asyncio.create_task(charge(1))], return_when="FIRST_COMPLETED"
    )
    await asyncio.sleep(60)
    return len(done)


async def races_a_gather() -> int:
    async def late() -> int:
        await asyncio.sleep(30)
        return await fail(1)

    several: Any = asyncio.gather(late(), late())
    done, _ = await asyncio.wait([several, asyncio.create_task(charge(1))], return_when="FIRST_COMPLETED")
    await asyncio.sleep(60)
    return len(done)


async def takes_the_first_to_come() -> int:
    async def late() -> int:
        await asyncio.sleep(30)
        return await fail(1)

    for first in asyncio.as_completed([late(), charge(1)]):
        await first
        break
    await asyncio.sleep(60)
    return 1


async def gathers_exceptions() -> int:
    return len(await asyncio.gather(fail(1), fail(2), return_exceptions=True)) - 1


async def fails_beside_another() -> int:
    try:
        await asyncio.gather(fail(1), fail(2))
    except StepFailed:
        pass
    await asyncio.sleep(60)
    return 1


async def uses_a_task_group() -> int:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail(1))
            group.create_task(charge(2))
    except* StepFailed:
        pass
    return 1


async def runs_out_of_time() -> int:
    try:
        await asyncio.wait_for(helper(1), 0)
    except TimeoutError:
        pass
    return 1


@HOMES
@pytest.mark.parametrize(
    "body",
    [
        ends_well_in_the_background,
        is_cancelled_at_the_end,
        closes_what_it_does_not_need,
        looks_at_the_exception_later,
        ignores_the_loser_of_a_race,
        takes_the_first_to_come,
        races_a_gather,
        gathers_exceptions,
        fails_beside_another,
        uses_a_task_group,
        runs_out_of_time,
    ],
)
@pytest.mark.filterwarnings("error")
def test_asyncios_own_ways_stay(home: Any, body: Any) -> None:
    flow = defined(body)
    with home(flow) as env:
        assert env.run(flow).result == 1


async def fails_with_a_call_in_hand() -> int:
    spare = charge(1)
    await fail(2)
    return await spare


async def calls_wrongly() -> Any:
    return await asyncio.gather(charge(1), ship())  # type: ignore[call-arg]


@pytest.mark.parametrize(("body", "kind"), [(fails_with_a_call_in_hand, "Broken"), (calls_wrongly, "TypeError")])
def test_a_workflow_that_fails_by_itself_fails_by_that(body: Any, kind: str) -> None:
    flow = defined(body)
    with Environment(flow) as env:
        run = env.run(flow)
        assert run.error is not None
        assert run.error.type == kind
