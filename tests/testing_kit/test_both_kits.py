"""What stands once for both kits does the same on both stages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from stepfast import signal, step, workflow
from stepfast.errors import ExecutionNotFound, WrongStatus
from stepfast.testing import Environment, MotoCloud, Stalled

KITS: list[Any] = [Environment, MotoCloud]


@step
def pay() -> None: ...


@workflow("patient")
async def patient() -> str:
    """Waits for a signal."""
    return await signal("go", str)


@workflow("two-signals")
async def two_signals() -> list[str]:
    return [await signal("go", str), await signal("go", str)]


@pytest.mark.parametrize("kit", KITS)
def test_a_signal_that_is_sent_again_under_its_id_counts_once(kit: Any) -> None:
    with kit(two_signals) as env:
        run = env.start(two_signals)
        env.signal(run, "go", "first", "id-1")
        env.signal(run, "go", "first", signal_id="id-1")
        env.advance(timedelta(minutes=1))
        assert [str(waiting) for waiting in run.waiting] == ["signal 'go'"]
        env.signal(run, "go", "second")
        assert env.run_until(run).result == ["first", "second"]


@pytest.mark.parametrize("kit", KITS)
def test_waiting_in_vain_says_what_to_send(kit: Any) -> None:
    with kit(patient) as env, pytest.raises(Stalled) as raised:
        env.run(patient)
    assert str(raised.value) == (
        "execution 'patient-1' waits for signal 'go', and nothing is due that could change it; "
        "send it with env.signal(…) or env.when(waiting=…).signal(…)"
    )


@pytest.mark.parametrize("kit", KITS)
def test_a_text_about_many_executions_names_the_first_and_counts_the_rest(kit: Any) -> None:
    with kit(patient) as env:
        for _ in range(7):
            env.start(patient)
        with pytest.raises(Stalled, match=r"'patient-5' waits for signal 'go'; and 2 more, and nothing is due"):
            env.run_until(lambda: False)


@pytest.mark.parametrize("kit", KITS)
def test_time_goes_on_to_a_moment_and_by_a_duration(kit: Any) -> None:
    with kit(patient) as env:
        run, start = env.start(patient), env.now
        assert env.run_until(start + timedelta(hours=2)) == start + timedelta(hours=2) == env.now
        env.advance(timedelta(seconds=90))
        assert env.now == start + timedelta(hours=2, seconds=90)
        assert run.status == "RUNNING"


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize(
    "moment",
    [
        lambda env: env.at(timedelta(minutes=5)),
        lambda env: env.at(env.now + timedelta(minutes=5)),
        lambda env: env.when(waiting="go", delay=timedelta(minutes=5)),
    ],
    ids=["after", "at", "when"],
)
def test_a_cue_is_taken_at_its_moment(kit: Any, moment: Callable[[Any], Any]) -> None:
    with kit(patient) as env:
        start, seen = env.now, list[Any]()
        moment(env).do(lambda: seen.append(env.now))
        moment(env).signal("go", "now")
        assert env.run(patient).result == "now"
    assert timedelta(minutes=5) <= seen[0] - start < timedelta(minutes=5, seconds=5)


@pytest.mark.parametrize("kit", KITS)
def test_a_cue_that_is_never_taken_fails_the_test(kit: Any) -> None:
    def with_a_cue_too_many() -> None:
        with kit(patient) as env:
            env.when(before=pay).cancel()
            env.at(timedelta(minutes=5)).signal("go", "now")
            env.run(patient)

    with pytest.raises(AssertionError, match=r"never come to pass: when\(before='pay'\)\.cancel\(\)"):
        with_a_cue_too_many()


@pytest.mark.parametrize("kit", KITS)
def test_operators_are_refused_alike(kit: Any) -> None:
    with kit(patient) as env:
        with pytest.raises(ExecutionNotFound):
            env.cancel("nobody")
        run = env.start(patient)
        with pytest.raises(WrongStatus, match="is RUNNING"):
            env.resume(run)
        env.cancel(run)
        with pytest.raises(WrongStatus, match="is CANCELLED"):
            env.cancel(run)
        with pytest.raises(TypeError, match="run_until takes a Run, a datetime or a function"):
            env.run_until(3)
        with pytest.raises(TypeError, match="name one moment"):
            env.when(before=pay, waiting="go")
        with pytest.raises(TypeError, match="is not a workflow"):
            env.start(patient.function)


@pytest.mark.parametrize("kit", KITS)
def test_nothing_starts_before_the_kit_is_entered(kit: Any) -> None:
    with pytest.raises(RuntimeError, match="enter the environment first"):
        kit(patient).start(patient)
