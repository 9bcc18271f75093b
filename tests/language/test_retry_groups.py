"""What a failed attempt leads to when the step raised a group, as a TaskGroup does."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import GiveUp, Retry, RetryAfter, step, workflow
from stepfast.errors import NotStorable
from stepfast.language.retry import decide
from stepfast.testing import Environment

Errors = list[Any]


def flat(errors: Errors) -> BaseException:
    return BaseExceptionGroup("flat", errors)


def nested(errors: Errors) -> BaseException:
    return BaseExceptionGroup("outer", [BaseExceptionGroup("middle", [BaseExceptionGroup("inner", errors)])])


def decided(policy: Retry, error: BaseException, failures: int = 1) -> float | None:
    return decide(policy, error, failures=failures, elapsed=0.0, draw=random.Random(0))


def steady(**policy: Any) -> Retry:
    return Retry(max_attempts=5, initial=10, backoff=1, jitter="none", **policy)


class Trouble(ExceptionGroup[Exception]):
    pass


@pytest.mark.parametrize("grouped", [flat, nested])
@pytest.mark.parametrize(
    ("policy", "errors", "delay"),
    [
        (steady(), [ValueError()], 10),
        (steady(), [ValueError(), KeyError()], 10),
        (steady(), [GiveUp("closed")], None),
        (steady(), [ValueError(), GiveUp("closed")], None),
        (steady(), [ValueError(), NotStorable("no JSON form")], None),
        (steady(), [RetryAfter(3600)], 3600),
        (steady(), [RetryAfter(60), ValueError(), RetryAfter(3600)], 3600),
        (steady(), [RetryAfter(60), GiveUp("closed")], None),
        (steady(give_up_on=(PermissionError,)), [PermissionError()], None),
        (steady(give_up_on=(PermissionError,)), [ValueError(), PermissionError()], None),
        (steady(give_up_on=(PermissionError,)), [ValueError()], 10),
        (steady(retry_on=(ConnectionError,)), [ConnectionError()], 10),
        (steady(retry_on=(ConnectionError,)), [ConnectionResetError(), RetryAfter(7)], 7),
        (steady(retry_on=(ConnectionError,)), [ConnectionError(), ValueError()], None),
        (steady(retry_on=(ConnectionError,)), [RetryAfter(7), ValueError()], None),
        (steady(retry_on=()), [ValueError()], None),
        (steady(), [ValueError(), SystemExit(1)], None),
        (steady(retry_on=(BaseException,)), [ValueError(), SystemExit(1)], 10),
        (steady(retry_on=(BaseExceptionGroup,)), [ValueError(), SystemExit(1)], 10),
        (steady(retry_on=(BaseExceptionGroup,)), [GiveUp("closed")], None),
        (steady(retry_on=(BaseExceptionGroup,)), [RetryAfter(7)], 7),
        (steady(give_up_on=(BaseExceptionGroup,)), [ValueError()], None),
    ],
)
def test_a_group_is_judged_by_what_is_in_it(
    grouped: Callable[[Errors], BaseException], policy: Retry, errors: Errors, delay: float | None
) -> None:
    assert decided(policy, grouped(errors)) == delay


def test_a_group_of_a_class_that_the_policy_names_is_one_error() -> None:
    assert decided(steady(give_up_on=(Trouble,)), ExceptionGroup("", [Trouble("", [ValueError()])])) is None
    assert decided(steady(retry_on=(Trouble,)), Trouble("", [ValueError()])) == 10
    assert decided(steady(retry_on=(Trouble,)), ExceptionGroup("", [ValueError()])) is None


def test_a_group_counts_as_one_failure() -> None:
    assert decided(steady(), ExceptionGroup("", [ValueError()] * 9), failures=4) == 10
    assert decided(steady(), ExceptionGroup("", [ValueError()] * 9), failures=5) is None


@pytest.mark.parametrize(
    ("error", "policy", "tries", "took"),
    [
        (GiveUp("404"), {}, 1, 0),
        (RetryAfter(3600), {"max_attempts": 2}, 2, 3600),
        (PermissionError("no"), {"give_up_on": (PermissionError,)}, 1, 0),
        (ConnectionError("x"), {"retry_on": (ConnectionError,)}, 3, 2),
    ],
)
def test_a_task_group_in_a_step_hides_nothing(error: Exception, policy: Any, tries: int, took: float) -> None:
    async def fails() -> None:
        raise error

    @step(retry=Retry(**({"initial": 1, "backoff": 1, "jitter": "none"} | policy)))
    async def fetch() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())

    @workflow("fetching")
    async def fetching() -> None:
        await fetch()

    with Environment(fetching) as env:
        began = env.now
        run = env.run(fetching)
        assert run.status == "FAILED"
        assert len(run.calls(fetch)) == tries
        assert (env.now - began).total_seconds() == took
