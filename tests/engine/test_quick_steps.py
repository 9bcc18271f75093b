"""Quick `def` steps run in a thread for which their loop waits; a slow one among them holds up nothing."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest

from stepfast import step
from stepfast.engine import quick_steps, step_runner
from stepfast.engine.quick_steps import RUNS_AFTER_SLOW, TOGETHER, QuickSteps, StepPace
from stepfast.engine.step_runner import AttemptCall, Ended, Pulse, Runner
from stepfast.engine.step_threads import Threads
from stepfast.language.context import StepContext
from stepfast.language.steps import Step
from stepfast.model import Stop
from tests.engine.test_threads import CountingLoop

T = TypeVar("T")
SECONDS = 30.0
"""Longer than any wait of these tests takes."""


@step
def noop() -> int:
    return 0


@pytest.fixture(autouse=True)
def _any_run_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a run may take any time."""
    monkeypatch.setattr(quick_steps, "QUICK_SECONDS", SECONDS)


def _run(main: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None = None) -> T:
    with asyncio.Runner(loop_factory=None if loop is None else lambda: loop) as runner:
        return runner.run(asyncio.wait_for(main, SECONDS))


async def _steps(threads: Threads | None = None) -> QuickSteps[Any]:
    """Runs attempts of `noop`, which counts as quick."""
    threads = threads or Threads()
    steps: QuickSteps[Any] = QuickSteps(threads)
    await _outcome(steps, lambda: 1)
    while not threads._idle:
        await asyncio.sleep(0)
    for _ in range(2):  # the loop reads the pipe by which the thread has woken it
        await asyncio.sleep(0)
    return steps


async def _outcome(steps: QuickSteps[Any], function: Callable[[], Any]) -> Any:
    begun = await steps.run(noop, function)
    return await begun if isinstance(begun, asyncio.Future) else begun


async def _together(steps: QuickSteps[Any], functions: list[Callable[[], Any]]) -> list[Any]:
    return list(await asyncio.gather(*(_outcome(steps, function) for function in functions)))


def test_quick_attempts_share_a_thread_and_wake_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_steps, "LOOP_HOLD_SECONDS", SECONDS)  # on a busy machine a thread may be late
    loop = CountingLoop()

    async def main() -> set[int]:
        steps = await _steps()
        loop.wakes = 0
        one_by_one = {await _outcome(steps, threading.get_ident) for _ in range(5)}
        return one_by_one | set(await _together(steps, [threading.get_ident] * 5))

    threads = _run(main(), loop)
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert loop.wakes == 0


def test_attempts_of_one_turn_come_back_in_order_however_many_they_are() -> None:
    async def main() -> list[int]:
        return await _together(await _steps(), [lambda n=n: n + 1 for n in range(2 * TOGETHER + 3)])  # type: ignore[misc]

    assert _run(main()) == [n + 1 for n in range(2 * TOGETHER + 3)]


def test_a_lone_attempt_that_turns_out_to_be_slow_does_not_hold_the_loop() -> None:
    async def main() -> bool:
        go, steps = threading.Event(), await _steps()
        asyncio.get_running_loop().call_later(0, go.set)  # no handle is ready, so the loop waits for the thread
        return bool(await _outcome(steps, lambda: go.wait(SECONDS)))

    assert _run(main())


def test_a_slow_attempt_among_quick_ones_does_not_hold_them_up() -> None:
    async def main() -> None:
        go, steps = threading.Event(), await _steps()
        quick = [lambda: 1] * (2 * TOGETHER)
        slow = asyncio.ensure_future(_outcome(steps, lambda: go.wait(SECONDS)))
        assert await _together(steps, list(quick)) == [1] * (2 * TOGETHER)
        assert not slow.done()
        go.set()
        assert await slow

    _run(main())


def test_attempts_that_wait_for_each_other_all_get_a_thread() -> None:
    async def main() -> list[Any]:
        barrier, steps = threading.Barrier(TOGETHER + 5), await _steps()
        return await _together(steps, [lambda: barrier.wait(SECONDS) + 1] * (TOGETHER + 5))

    assert sorted(_run(main())) == list(range(1, TOGETHER + 6))


def test_an_attempt_that_never_returns_keeps_its_thread_and_nothing_else() -> None:
    never = threading.Event()

    async def main() -> None:
        steps = await _steps()
        for _ in range(3):
            left = await steps.run(noop, never.wait)
            assert isinstance(left, asyncio.Future)
            assert not left.done()
            assert not steps._paces[noop].quick
            assert await _together(steps, [lambda: 1] * 5) == [1] * 5

    try:
        _run(main())
    finally:
        never.set()


def test_an_outcome_that_comes_while_the_loop_gives_up_is_not_lost() -> None:
    go, threads = threading.Event(), Threads()

    class Racing(asyncio.SelectorEventLoop):
        racing = False

        def create_future(self) -> asyncio.Future[Any]:
            if self.racing:  # the loop makes `later`, and the attempt ends before it is marked as late
                go.set()
                while not threads._idle:
                    pass
            return super().create_future()

    loop = Racing()

    async def main() -> bool:
        steps = await _steps(threads)
        loop.racing = True
        begun = await steps.run(noop, lambda: go.wait(SECONDS))
        loop.racing = False
        return bool(await begun if isinstance(begun, asyncio.Future) else begun)

    assert _run(main(), loop)


def test_an_attempt_that_is_cancelled_before_it_begins_does_not_run() -> None:
    async def main() -> list[str]:
        ran, steps = list[str](), await _steps()

        def note(name: str) -> Callable[[], str]:
            return lambda: (ran.append(name), name)[1]

        cancelled = asyncio.ensure_future(_outcome(steps, note("cancelled")))
        other = asyncio.ensure_future(_outcome(steps, note("other")))
        asyncio.get_running_loop().call_soon(cancelled.cancel)
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await other == "other"
        return ran

    assert _run(main()) == ["other"]


def test_attempts_without_a_thread_raise_and_later_ones_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Threads, work: object) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        steps = await _steps()
        with monkeypatch.context() as patched:
            patched.setattr(Threads, "give", refuse)
            ended = await asyncio.gather(*(_outcome(steps, lambda: 1) for _ in range(5)), return_exceptions=True)
            assert [str(error) for error in ended] == ["can't start new thread"] * 5
            with pytest.raises(RuntimeError):
                await _outcome(steps, lambda: 1)
        assert await _together(steps, [lambda: 1] * 5) == [1] * 5

    _run(main())


def test_attempts_held_up_while_the_system_allows_no_thread_begin_once_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, refused = Threads.give, list[object]()

    def give(self: Threads, work: Any) -> None:
        if isinstance(work, partial) and len(refused) < 3:  # one of a batch that a slow one holds up
            refused.append(work)
            raise RuntimeError("can't start new thread")
        plain(self, work)

    async def main() -> None:
        go, steps = threading.Event(), await _steps()
        with monkeypatch.context() as patched:
            patched.setattr(Threads, "give", give)
            running = [asyncio.ensure_future(_outcome(steps, lambda: go.wait(SECONDS)))]
            assert await _together(steps, [lambda: 1] * 5) == [1] * 5
        assert len(refused) == 3
        go.set()
        assert await running[0]

    _run(main())


def test_a_step_is_quick_after_one_run_and_after_a_slow_one_only_after_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_steps, "QUICK_SECONDS", 1.0)
    pace, seen = StepPace(), list[bool]()
    for seconds in [0.5, 2.0, *[0.5] * RUNS_AFTER_SLOW]:
        pace.took(seconds)
        seen.append(pace.quick)
    assert not StepPace().quick
    assert seen == [True, False, *[False] * (RUNS_AFTER_SLOW - 1), True]


# -- the same by the runner ----------------------------------------------------------------------------------------

of_the_attempt: contextvars.ContextVar[str] = contextvars.ContextVar("of_the_attempt", default="nothing")


class NeverStops:
    async def __call__(self, alive: bool) -> Stop | None:
        return None

    def patience(self) -> float:
        return 0.0


def _call(step: Step[..., Any], *arguments: Any, pulse: Pulse | None = None) -> AttemptCall:
    context = StepContext("e", "s", 1, 0, 0.0, lambda: None, lambda: "k")
    return AttemptCall(
        step, "", inspect.signature(step.function).bind(*arguments), context, pulse or Pulse(), NeverStops()
    )


@step
def kinds(kind: str) -> str:
    seen = of_the_attempt.get()
    of_the_attempt.set(kind)
    if kind == "exit":
        raise SystemExit(3)
    if kind == "error":
        raise ValueError("no")
    return seen


def test_the_ways_of_running_an_attempt_give_the_same_ends() -> None:
    names = ["error", "value", "exit", "value"]

    async def main() -> None:
        runner, ways = Runner(), list[list[Ended]]()
        ways.append([await Runner().run(_call(kinds, name)) for name in names])  # in doubt: in threads of their own
        await runner.run(_call(kinds, "value"))
        ways.append([await runner.run(_call(kinds, name)) for name in names])  # one by one
        ways.append(list(await asyncio.gather(*(runner.run(_call(kinds, name)) for name in names))))
        told = [[(ended.value, repr(ended.error)) for ended in way] for way in ways]
        assert told[0] == told[1] == told[2]
        assert told[0][1] == ("nothing", "None")

    _run(main())


@step
def waits(go: Any) -> bool:
    return bool(go.wait(SECONDS))


@pytest.mark.parametrize("others", [0, 3])
def test_an_interrupt_while_the_loop_waits_stops_the_attempt_at_once(
    monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    monkeypatch.setattr(step_runner, "WATCH", SECONDS * 2)  # no look of the watch may find it
    go = threading.Event()

    class Interrupts(threading.Event):
        """Interrupts the attempt from its thread, while the loop still waits for it."""

        def wait(self, timeout: float | None = None) -> bool:
            pulse.interrupt(Stop("told to end", leave=True))
            return go.wait(timeout)

    async def main() -> None:
        runner, at_once = Runner(), threading.Event()
        at_once.set()
        await runner.run(_call(waits, at_once))
        running = [asyncio.ensure_future(runner.run(_call(waits, at_once))) for _ in range(others)]
        ended = await runner.run(_call(waits, Interrupts(), pulse=pulse))
        assert ended.stop is not None
        assert ended.stop.reason == "told to end"
        assert [(await other).value for other in running] == [True] * others

    pulse = Pulse()
    try:
        _run(main())
    finally:
        go.set()
