"""Being in a step without a worker."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from stepfast import current_step
from stepfast.errors import StepCancelled
from stepfast.testing import step_context
from tests.testing_kit.flows import pay, price


def test_a_step_finds_its_context() -> None:
    with step_context(pay, idempotency_key="k-1"):
        assert pay.function(Decimal(5)).payment_id == "k-1"


def test_the_defaults_are_those_of_a_first_attempt() -> None:
    with step_context() as context:
        assert current_step() is context
    assert (context.execution_id, context.step_id, context.attempt, context.generation) == ("test", "step", 1, 0)
    assert context.idempotency_key == "test-step"
    context.heartbeat()
    context.logger.info("works")


def test_name_and_deadline_are_those_of_the_step() -> None:
    with step_context(pay, execution_id="e-1") as context:
        left = context.deadline - datetime.now(UTC)
    assert (context.step_id, context.idempotency_key) == ("pay", "e-1-pay")
    assert timedelta(seconds=29) < left <= timedelta(seconds=30)


def test_everything_can_be_said() -> None:
    deadline = datetime(2030, 1, 1, tzinfo=UTC)
    with step_context(step_id="a/pay", attempt=3, generation=2, deadline=deadline):
        step = current_step()
    assert (step.step_id, step.attempt, step.generation, step.deadline) == ("a/pay", 3, 2, deadline)


def test_heartbeats_can_be_counted_and_refused() -> None:
    beats = []
    with step_context(heartbeat=lambda: beats.append(1)):
        current_step().heartbeat()
    assert beats == [1]

    def stop() -> None:
        raise StepCancelled("enough")

    with step_context(heartbeat=stop), pytest.raises(StepCancelled):
        current_step().heartbeat()


def test_it_ends_with_the_block_and_nests() -> None:
    with step_context(execution_id="outer"):
        with step_context(execution_id="inner"):
            assert current_step().execution_id == "inner"
        assert current_step().execution_id == "outer"
    with pytest.raises(LookupError):
        current_step()


def test_async_steps_find_it_too() -> None:
    async def test() -> None:
        with step_context(price):
            assert current_step().step_id == "price"
            assert await price.function("tea") == 3

    asyncio.run(test())
