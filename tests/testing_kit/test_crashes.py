"""The process dies at a chosen moment, and the next one goes on from what is stored."""

from datetime import timedelta
from decimal import Decimal

import pytest

from stepfast.testing import Environment
from tests.testing_kit.flows import (
    Approval,
    Order,
    Receipt,
    announce,
    announcing,
    approved_purchase,
    pay,
    price,
    purchase,
)

ORDER = Order(item="tea", pieces=2)


def test_a_step_that_was_cut_off_runs_again() -> None:
    with Environment(purchase) as env:
        env.crash(after=pay)
        run = env.run(purchase, ORDER)
    first, second = run.calls(pay)
    assert run.status == "SUCCEEDED"
    assert (first.attempt, first.ended_at is None, second.attempt) == (1, False, 2)
    assert second.started_at - first.started_at == timedelta(seconds=1)
    assert first.output.payment_id == second.output.payment_id, "the idempotency key is that of the step"
    assert env.crashes == ["after step pay, attempt 1"]


def test_a_step_that_has_not_begun_leaves_a_call_without_an_end() -> None:
    with Environment(purchase) as env:
        env.crash(before=pay)
        first, second = env.run(purchase, ORDER).calls(pay)
    assert (first.ended_at, first.error, second.output is None) == (None, None, False)


def test_a_recorded_step_never_runs_again() -> None:
    with Environment(purchase) as env:
        env.crash(after="record", step=pay)
        run = env.run(purchase, ORDER)
    assert len(run.calls(pay)) == len(run.calls(price)) == 1


def test_a_result_that_was_not_recorded_is_lost() -> None:
    with Environment(purchase) as env:
        env.crash(before="record", step=pay, attempt=1, times=3)
        run = env.run(purchase, ORDER)
    assert [call.attempt for call in run.calls(pay)] == [1, 2, 3, 4]
    assert len(env.crashes) == 3


def test_a_step_that_runs_at_most_once_fails_instead() -> None:
    with Environment(announcing) as env:
        env.crash(before=announce)
        run = env.run(announcing)
    assert run.result == "StepInterrupted"
    assert len(run.calls(announce)) == 1


def test_a_timer_that_was_due_while_the_process_was_down_fires_when_it_is_back() -> None:
    with Environment(purchase) as env:
        env.crash(after="record", step=pay, down=timedelta(days=31))
        start = env.now
        env.run(purchase, ORDER)
        assert env.now - start == timedelta(days=31)


def test_a_crash_at_a_time_drops_what_is_in_the_middle() -> None:
    with Environment(purchase) as env:
        env.fake(price, Decimal(3), takes=timedelta(minutes=2))
        env.at(timedelta(minutes=1)).crash(down=timedelta(minutes=5))
        run = env.run(purchase, ORDER)
    first, second = run.calls(price)
    assert (first.ended_at, second.attempt) == (None, 2)
    assert second.started_at - first.started_at == timedelta(minutes=6)


def test_a_crash_on_cue() -> None:
    with Environment(approved_purchase) as env:
        env.when(waiting="approval").crash()
        env.when(waiting="approval", delay=timedelta(hours=1)).signal("approval", Approval(approved=True, by="cfo"))
        assert env.run(approved_purchase, ORDER).status == "SUCCEEDED"
        assert len(env.crashes) == 1


def test_an_execution_that_always_kills_its_process_fails_in_the_end() -> None:
    with Environment(purchase) as env:
        env.crash(before=pay, times=10)
        run = env.run(purchase, ORDER)
    assert run.status == "FAILED"
    assert run.error is not None
    assert run.error.type == "StepInterrupted"


def purchase_with(crash_at: int | None) -> tuple[Receipt, list[str], int]:
    with Environment(purchase) as env:
        if crash_at is not None:
            env.crash(at=crash_at)
        env.fail(pay)
        run = env.run(purchase, ORDER, "p-1")
        assert len(env.crashes) == (crash_at is not None)
    return run.result, env.points, max(len(run.calls(step)) for step in (price, pay))


def test_a_crash_at_any_moment_changes_nothing_about_the_result() -> None:
    undisturbed, points, _ = purchase_with(None)
    assert len(points) > 25
    for number in range(len(points)):
        result, _, calls = purchase_with(number)
        assert result == undisturbed, points[number]
        assert calls <= 3


def test_a_signal_that_was_accepted_survives_a_crash_at_any_moment() -> None:
    def approve(crash_at: int | None) -> list[str]:
        with Environment(approved_purchase) as env:
            if crash_at is not None:
                env.crash(at=crash_at)
            env.when(waiting="approval").signal("approval", Approval(approved=True, by="cfo"))
            run = env.run(approved_purchase, ORDER)
            assert run.result.startswith("approved-purchase-1-")
        return env.points

    for number in range(len(approve(None))):
        approve(number)


def test_a_crash_that_never_comes_fails_the_test() -> None:
    def wrong() -> None:
        with Environment(purchase) as env:
            env.crash(before=pay, attempt=2)
            env.run(purchase, ORDER)

    with pytest.raises(AssertionError, match=r"never come to pass: crash\(before=pay, attempt=2, times=1\)"):
        wrong()


def test_every_crash_that_was_asked_for_must_come() -> None:
    def wrong() -> None:
        with Environment(purchase) as env:
            env.crash(after="finish", times=2)
            env.run(purchase, ORDER)

    with pytest.raises(AssertionError, match=r"crash\(after='finish', attempt=1, times=2\)"):
        wrong()


def test_a_crash_needs_one_moment_that_exists() -> None:
    with Environment(purchase) as env:
        with pytest.raises(TypeError, match="name one moment"):
            env.crash()
        with pytest.raises(TypeError, match="name one moment"):
            env.crash(before=pay, after=price)
        with pytest.raises(TypeError, match="one of claim, record, order, send, finish"):
            env.crash(before="commit")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="down for some time"):
            env.crash(before=pay, down=timedelta())
