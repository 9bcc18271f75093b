"""A test that waits in vain, or asks for what cannot be, fails at once and says what to do."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest, UnknownWorkflow, WrongStatus
from stepfast.testing import Environment, Stalled
from tests.testing_kit.flows import Order, approved_purchase, patient, pay, polling, price, purchase

ORDER = Order(item="tea")


def test_waiting_for_a_signal_that_nobody_sends_says_which() -> None:
    with Environment(patient) as env, pytest.raises(Stalled) as raised:
        env.run(patient)
    assert str(raised.value) == (
        "execution 'patient-1' waits for signal 'go', and nothing is due that could change it; "
        "send it with env.signal(…) or env.when(waiting=…).signal(…)"
    )
    assert isinstance(raised.value, AssertionError)


def test_waiting_for_a_condition_that_never_holds_says_how_the_executions_stand() -> None:
    with Environment(purchase) as env:
        run = env.start(purchase, ORDER)
        with pytest.raises(Stalled, match="execution 'purchase-1' is SUCCEEDED, and nothing is due"):
            env.run_until(lambda: run.status == "FAILED")
        with pytest.raises(Stalled, match="no execution was started"), Environment(purchase) as other:
            other.run_until(lambda: False)


def test_polling_without_end_is_noticed() -> None:
    from decimal import Decimal

    with Environment(polling, limit=40) as env:
        env.fake(price, Decimal(0))
        with pytest.raises(Stalled, match=r"goes on without end: 40 attempts.*Environment\(…, limit=…\)"):
            env.run(polling)


def test_an_environment_wants_workflows() -> None:
    wrong: Any
    for wrong in ((), (pay,), (purchase.function,), ("purchase",)):
        with pytest.raises(TypeError, match="functions that have @workflow, or one Registry"):
            Environment(*wrong)
    with pytest.raises(ValueError, match="start needs a time zone"):
        Environment(purchase, start=datetime(2030, 1, 1))  # noqa: DTZ001


def test_an_environment_is_entered_once_before_it_is_used() -> None:
    env = Environment(purchase)
    with pytest.raises(RuntimeError, match="enter the environment first"):
        env.run(purchase, ORDER)
    with env:
        run = env.run(purchase, ORDER)
    with pytest.raises(RuntimeError, match="entered once"):
        env.__enter__()
    with pytest.raises(RuntimeError, match="the environment is closed"):
        env.run(purchase, ORDER)
    assert run.status == "SUCCEEDED"
    assert run.timeline


def test_what_a_client_would_be_refused_is_refused() -> None:
    with Environment(purchase) as env:
        with pytest.raises(UnknownWorkflow, match="no workflow is named 'patient'; there are: purchase"):
            env.start(patient)
        with pytest.raises(InvalidRequest, match="input: item: Field required"):
            env.start(purchase, {"pieces": 2})
        with pytest.raises(InvalidRequest):
            env.start(purchase, object())
        with pytest.raises(TypeError, match="is not a workflow"):
            env.start(purchase.function)  # type: ignore[arg-type]
        env.start(purchase, ORDER, "one")
        assert env.start(purchase, ORDER, "one").status == "RUNNING"
        with pytest.raises(ExecutionConflict):
            env.start(purchase, {"item": "coffee"}, "one")
        with pytest.raises(ExecutionNotFound):
            env.signal("two", "go")
        with pytest.raises(WrongStatus, match="is RUNNING: only a FAILED one"):
            env.resume("one")
        with pytest.raises(TypeError, match="run_until takes"):
            env.run_until(3)  # type: ignore[type-var]


def test_a_test_with_an_event_loop_of_its_own_is_told_so() -> None:
    async def wrong() -> None:
        with Environment(purchase) as env:
            env.run(purchase, ORDER)

    with pytest.raises(RuntimeError, match="in a plain `def` test"):
        asyncio.run(wrong())


def test_running_from_inside_a_fake_is_refused() -> None:
    with Environment(purchase, approved_purchase) as env:

        def nested(item: str) -> object:
            env.advance(timedelta(days=1))
            return None

        env.fake(price, nested)  # type: ignore[arg-type]
        run = env.run(purchase, ORDER)
    assert run.error is not None
    assert "use env.when(…) or env.at(…)" in run.error.message


def test_leaving_with_work_in_hand_leaves_nothing_behind() -> None:
    with Environment(purchase) as env:
        env.fake(pay, lambda amount: None, takes=timedelta(seconds=20))  # type: ignore[arg-type]
        run = env.start(purchase, ORDER)
        env.advance(timedelta(seconds=10))
    assert run.status == "RUNNING"
    assert run.calls(pay)[0].ended_at is None


def test_an_error_in_the_block_is_not_hidden_by_a_cue_that_never_came() -> None:
    def wrong() -> None:
        with Environment(purchase) as env:
            env.crash(before=pay)
            raise KeyError("the test's own")

    with pytest.raises(KeyError):
        wrong()
