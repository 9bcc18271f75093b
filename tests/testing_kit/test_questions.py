"""What can be asked of a run: its end, its calls, its history, what it waits for."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from stepfast.language.registry import Registry
from stepfast.testing import Environment, Run, Waiting
from tests.testing_kit.flows import (
    Approval,
    Order,
    Payment,
    Receipt,
    approved_purchase,
    patient,
    pay,
    price,
    purchase,
    shipping,
)

ORDER = Order(item="tea", pieces=2)
START = datetime(2030, 1, 1, tzinfo=UTC)


def test_the_result_is_of_the_workflows_own_type() -> None:
    with Environment(purchase) as env:
        run: Run[Receipt] = env.run(purchase, ORDER)
    assert run.result == Receipt(payment=run.calls(pay)[0].output, reminded=True)
    assert isinstance(run.result.payment.amount, Decimal)
    assert (run.status, run.error, run.waiting) == ("SUCCEEDED", None, [])


def test_input_is_a_model_or_what_a_client_sends() -> None:
    with Environment(purchase) as env:
        assert env.run(purchase, {"item": "tea", "pieces": 2}).calls(pay) != []
        assert env.run(purchase, ORDER, "mine", labels={"team": "tea"}).execution_id == "mine"
        assert [run.execution_id for run in env.runs] == ["purchase-1", "mine"]


def test_a_call_tells_its_input_attempt_times_and_outcome() -> None:
    with Environment(purchase) as env:
        env.fail(pay, error=ConnectionError("no line"))
        run = env.run(purchase, ORDER)
    assert [(call.step, call.attempt) for call in run.steps] == [
        ("price", 1),
        ("shipping", 1),
        ("pay", 1),
        ("pay", 2),
        ("remind", 1),
    ]
    failed, paid = run.calls(pay)
    assert failed.input == paid.input == {"amount": Decimal(8)}
    assert (failed.started_at, failed.ended_at) == (START, START)
    assert (str(failed.error), failed.output) == ("no line", None)
    assert (paid.error, paid.output.amount) == (None, Decimal(8))
    assert paid.started_at == START + timedelta(minutes=1)
    assert paid.execution_id == "purchase-1"
    assert paid.step_id == "pay"


def test_the_input_of_a_call_is_what_the_step_was_given_not_what_it_made_of_it() -> None:
    from stepfast import step, workflow

    @step
    def sort(numbers: list[int]) -> list[int]:
        numbers.sort()
        return numbers

    @workflow("sorting")
    async def sorting() -> list[int]:
        return await sort([3, 1, 2])

    with Environment(sorting) as env:
        (call,) = env.run(sorting).steps
    assert (call.input, call.output) == ({"numbers": [3, 1, 2]}, [1, 2, 3])


def test_what_it_waits_for() -> None:
    with Environment(approved_purchase, purchase) as env:
        env.fail(pay, times=None)
        asking, buying = env.start(approved_purchase, ORDER), env.start(purchase, ORDER)
        assert [str(one) for one in buying.waiting] == ["step 'price'", "step 'shipping'"]
        env.advance(timedelta(seconds=1))
        assert asking.waiting == [
            Waiting("timer", "timer", ":timer", START + timedelta(days=3)),
            Waiting("signal", "approval", "signal:approval"),
        ]
        assert [str(one) for one in buying.waiting] == ["step 'pay' until 2030-01-01 00:01:00 UTC"]
        assert str(asking) == (
            "execution 'approved-purchase-1' waits for timer until 2030-01-04 00:00:00 UTC, signal 'approval'"
        )
        env.cancel(asking)
        assert asking.waiting == []


def test_the_history_stands_in_the_order_in_which_it_happened_though_time_stood_still() -> None:
    with Environment(purchase) as env:
        env.fail(price, times=3)
        env.when(status="FAILED").resume()
        history = env.run(purchase, ORDER).history
    told = [f"{one.type} {one.command or ''}".strip() for one in history]
    first = [one for one in told if "attempt" not in one]
    assert first == [
        "execution-started",
        "step-succeeded shipping",
        "step-failed price",
        "command-reopened price",
        "execution-failed",
        "execution-resumed",
        "step-succeeded price",
        "step-succeeded pay",
        "timer-succeeded :timer",
        "step-succeeded remind",
        "execution-succeeded",
    ]


def test_a_signal_stands_before_what_it_led_to() -> None:
    with Environment(approved_purchase) as env:
        env.when(waiting="approval").signal("approval", Approval(approved=True, by="cfo"))
        history = env.run(approved_purchase, ORDER).history
    assert [one.type for one in history] == [
        "execution-started",
        "signal-received",
        "signal-succeeded",
        "attempt-started",
        "step-succeeded",
        "execution-succeeded",
    ]


def test_the_timeline_is_for_people() -> None:
    with Environment(purchase) as env:
        env.fail(pay, error=ConnectionError("no line"))
        env.fake(pay, Payment(payment_id="p-1", amount=Decimal(8)))
        timeline = env.run(purchase, ORDER).timeline
    assert timeline.splitlines()[:3] == [
        "execution 'purchase-1' of purchase: SUCCEEDED",
        "  started 2030-01-01 00:00:00 UTC, times are since then",
        "           0:00:00  execution-started {'item': 'tea', 'pieces': 2}",
    ]
    assert "           0:00:00  attempt-failed pay #1: ConnectionError: no line; again 01-01 00:01:00" in timeline
    assert "  30 days, 0:01:00  step-succeeded remind True" in timeline


def test_a_timeline_shows_the_end_of_a_long_history() -> None:
    with Environment(purchase) as env:
        env.fail(pay, times=None)
        timeline = env.run(purchase, ORDER).timeline
    assert "  … 7 earlier events" in timeline
    assert timeline.endswith("ConnectionError: env.fail has step 'pay' fail")
    assert len(timeline.splitlines()) == 43


def test_no_result_says_why() -> None:
    with Environment(purchase, patient) as env:
        env.fail(price, times=None, error=ConnectionError("no line"))
        failed, waiting = env.run(purchase, ORDER), env.start(patient)
        env.advance(timedelta())
        with pytest.raises(AssertionError, match=r"'patient-2' waits for signal 'go' has no result"):
            _ = waiting.result
    with pytest.raises(AssertionError, match=r"'purchase-1' is FAILED: ConnectionError: no line \(step 'price'\)"):
        _ = failed.result


def test_a_registry_and_several_executions_at_once() -> None:
    with Environment(Registry([purchase, approved_purchase])) as env:
        runs = [env.start(purchase, ORDER) for _ in range(5)]
        env.advance(timedelta(days=31))
        assert {run.status for run in runs} == {"SUCCEEDED"}
        assert [len(run.calls(shipping)) for run in runs] == [1] * 5
