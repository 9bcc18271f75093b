"""Steps replaced by values and functions, failing on demand, taking simulated time."""

from datetime import timedelta
from decimal import Decimal

import pytest

from stepfast import GiveUp, RetryAfter, current_step
from stepfast.errors import NotStorable, StepCancelled, StepTimeout
from stepfast.testing import Environment
from tests.testing_kit.flows import (
    Order,
    Payment,
    announce,
    announcing,
    export,
    exporting,
    pay,
    price,
    purchase,
    remind,
)

ORDER = Order(item="tea", pieces=2)
PAID = Payment(payment_id="p-1", amount=Decimal(9))


def test_a_value_stands_in_for_a_step() -> None:
    with Environment(purchase) as env:
        env.fake(pay, PAID)
        env.fake(remind, False)
        run = env.run(purchase, ORDER)
    assert run.result.payment == PAID
    assert run.result.reminded is False
    assert [call.output for call in run.calls(pay)] == [PAID]


def test_a_function_gets_the_arguments_and_the_context_of_the_step() -> None:
    keys = []

    def paying(amount: Decimal) -> Payment:
        keys.append(current_step().idempotency_key)
        if current_step().attempt < 3:
            raise RetryAfter(5)
        return Payment(payment_id="faked", amount=amount)

    with Environment(purchase) as env:
        env.fake(pay, paying)
        run = env.run(purchase, ORDER)
    assert run.result.payment.amount == Decimal(8)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    first, _, third = run.calls(pay)
    assert third.started_at - first.started_at == timedelta(seconds=10)


def test_an_async_function_stands_in_for_a_def_step_and_a_def_for_an_async_one() -> None:
    async def paying(amount: Decimal) -> Payment:
        return PAID

    with Environment(purchase) as env:
        env.fake(pay, paying)
        env.fake(price, lambda item: Decimal(5))
        run = env.run(purchase, ORDER)
    assert run.result.payment == PAID
    assert run.calls(price)[0].output == Decimal(5)


def test_a_fake_gets_the_defaults_that_the_workflow_left_to_the_step() -> None:
    from stepfast import step, workflow

    @step
    def greet(name: str, greeting: str = "hello") -> str:
        return f"{greeting} {name}"

    @workflow("greeting")
    async def greeting() -> str:
        return await greet("Mia")

    with Environment(greeting) as env:
        env.fake(greet, lambda name, greeting: f"{greeting}, {name}!")
        run = env.run(greeting)
    assert run.result == "hello, Mia!"
    assert run.calls(greet)[0].input == {"name": "Mia"}


def test_a_step_fails_n_times_and_then_does_as_before() -> None:
    with Environment(purchase) as env:
        env.fake(pay, PAID)
        env.fail(pay, times=2, error=TimeoutError("no answer"))
        env.fail(pay, error=PermissionError("who are you"))
        run = env.run(purchase, ORDER)
    assert [type(call.error) for call in run.calls(pay)] == [TimeoutError, TimeoutError, PermissionError, type(None)]
    assert run.result.payment == PAID


def test_an_outage_lasts_until_it_is_over_and_a_resume_goes_on() -> None:
    with Environment(purchase) as env:
        env.fail(pay, times=None)
        run = env.run(purchase, ORDER)
        assert (run.status, len(run.calls(pay))) == ("FAILED", 20)
        assert run.error is not None
        assert (run.error.type, run.error.step) == ("ConnectionError", "pay")
        env.restore(pay)
        env.resume(run)
        assert env.run_until(run).result.reminded
    assert [call.generation for call in run.calls(pay)] == [0] * 20 + [1]
    assert len(run.calls(price)) == 1


def test_an_error_that_gives_up_fails_at_once() -> None:
    with Environment(purchase) as env:
        env.fail(pay, times=None, error=GiveUp("card expired"))
        run = env.run(purchase, ORDER)
    assert len(run.calls(pay)) == 1
    assert run.error is not None
    assert run.error.message == "card expired"


def test_a_fake_takes_simulated_time() -> None:
    with Environment(purchase) as env:
        env.fake(pay, PAID, takes=timedelta(seconds=29))
        (call,) = env.run(purchase, ORDER).calls(pay)
    assert call.ended_at is not None
    assert call.ended_at - call.started_at == timedelta(seconds=29)


def test_a_fake_that_takes_too_long_times_the_step_out() -> None:
    with Environment(purchase) as env:
        env.fake(pay, PAID, takes=timedelta(seconds=31))
        env.when(after=pay, attempt=2).do(lambda: env.fake(pay, PAID))
        run = env.run(purchase, ORDER)
    first, second, third = run.calls(pay)
    assert isinstance(first.error, StepTimeout)
    assert str(first.error) == "no result within 30 s"
    assert first.ended_at is not None
    assert first.ended_at - first.started_at == timedelta(seconds=30)
    assert (second.attempt, third.error) == (2, None)


def test_a_fake_without_heartbeats_is_taken_for_dead_and_one_with_them_is_not() -> None:
    hours = timedelta(hours=7)
    with Environment(exporting) as env:
        env.fake(export, 1, takes=hours)
        assert env.run(exporting, "all").result == 1
        env.fake(export, 1, takes=hours, beats=False)
        run = env.run(exporting, "all")
    assert run.status == "FAILED"
    assert [str(call.error) for call in run.calls(export)] == ["no heartbeat for 60 s"] * 2


def test_a_cancel_stops_a_fake_that_takes_its_time() -> None:
    with Environment(exporting) as env:
        env.fake(export, 1, takes=timedelta(hours=7))
        env.at(timedelta(hours=1)).cancel()
        run = env.run(exporting, "all")
        env.advance(timedelta())
        assert (run.status, env.now - run.steps[0].started_at) == ("CANCELLED", timedelta(hours=1))
        (call,) = run.calls(export)
        assert isinstance(call.error, StepCancelled)
        assert call.ended_at == env.now


def test_a_step_that_runs_at_most_once_is_not_repeated_after_a_timeout() -> None:
    with Environment(announcing) as env:
        env.fake(announce, None, takes=timedelta(hours=1))
        run = env.run(announcing)
    assert run.result == "StepTimeout"
    assert len(run.calls(announce)) == 1


def test_what_does_not_fit_the_step_is_refused_where_it_stands() -> None:
    with Environment(purchase) as env:
        with pytest.raises(NotStorable, match="step 'pay': result"):
            env.fake(pay, 9)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"the fake of step 'pay' takes \(\), the step \(amount"):
            env.fake(pay, lambda: PAID)
        with pytest.raises(TypeError, match=r"use env\.fail"):
            env.fake(pay, ValueError("no"))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="is not a step"):
            env.fake(pay.function, PAID)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="takes no time or some"):
            env.fake(pay, PAID, takes=timedelta(-1))
        with pytest.raises(ValueError, match="once or more often"):
            env.fail(pay, times=0)
        with pytest.raises(TypeError, match="error is an exception"):
            env.fail(pay, error="down")  # type: ignore[arg-type]
