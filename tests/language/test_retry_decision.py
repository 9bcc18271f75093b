"""What a failed attempt leads to: another one after a delay, or the step's failure."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfast import GiveUp, Retry, RetryAfter
from stepfast.errors import NotStorable, StepInterrupted, StepTimeout
from stepfast.language.retry import decide

STEADY = Retry(max_attempts=5, initial=10, backoff=1, jitter="none")


def decided(
    policy: Retry, error: BaseException, failures: int = 1, elapsed: float = 0.0, seed: int = 0
) -> float | None:
    return decide(policy, error, failures=failures, elapsed=elapsed, draw=random.Random(seed))


def test_an_exception_is_retried_after_the_policys_delay() -> None:
    assert decided(STEADY, ValueError()) == 10


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_last_attempts_failure_is_the_steps(attempts: int) -> None:
    policy = Retry(max_attempts=attempts, initial=10, jitter="none")
    outcomes = [decided(policy, ValueError(), failures=n) for n in range(1, attempts + 2)]
    assert [delay is None for delay in outcomes] == [False] * (attempts - 1) + [True, True]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()])
def test_exits_and_cancellation_are_not_retried_by_default(error: BaseException) -> None:
    assert decided(STEADY, error) is None


def test_an_exit_is_retried_by_a_policy_that_says_so() -> None:
    assert decided(Retry(retry_on=(SystemExit,), initial=1, jitter="none"), SystemExit(1)) == 1


def test_only_what_retry_on_names_is_retried() -> None:
    policy = Retry(retry_on=(ConnectionError, TimeoutError), initial=1, jitter="none")
    assert decided(policy, ConnectionResetError()) == 1
    assert decided(policy, TimeoutError()) == 1
    assert decided(policy, ValueError()) is None


def test_nothing_is_retried_by_an_empty_retry_on() -> None:
    assert decided(Retry(retry_on=()), ValueError()) is None


def test_give_up_on_wins_over_retry_on() -> None:
    policy = Retry(retry_on=(OSError,), give_up_on=(FileNotFoundError,), initial=1, jitter="none")
    assert decided(policy, PermissionError()) == 1
    assert decided(policy, FileNotFoundError()) is None


def test_give_up_on_wins_also_for_a_parent_of_what_retry_on_names() -> None:
    policy = Retry(retry_on=(FileNotFoundError,), give_up_on=(OSError,))
    assert decided(policy, FileNotFoundError()) is None


@pytest.mark.parametrize("policy", [STEADY, Retry(retry_on=(GiveUp, Exception))])
def test_give_up_fails_at_once_whatever_the_policy(policy: Retry) -> None:
    assert decided(policy, GiveUp("the account is closed")) is None


def test_a_result_that_cannot_be_stored_is_not_tried_again() -> None:
    assert decided(STEADY, NotStorable("no JSON form")) is None


@pytest.mark.parametrize("error", [StepTimeout("late"), StepInterrupted("gone")])
def test_a_timeout_or_a_crash_counts_as_any_exception(error: Exception) -> None:
    assert decided(STEADY, error) == 10


def test_retry_after_sets_the_delay_past_max_delay() -> None:
    assert decided(Retry(max_delay=5), RetryAfter(3600)) == 3600


def test_retry_after_of_zero_is_at_once() -> None:
    assert decided(STEADY, RetryAfter(0)) == 0


def test_retry_after_is_retried_whatever_the_policys_lists_say() -> None:
    policy = Retry(retry_on=(KeyError,), give_up_on=(Exception,))
    assert decided(policy, RetryAfter(7)) == 7


def test_retry_after_counts_as_an_attempt() -> None:
    assert decided(Retry(max_attempts=2), RetryAfter(7), failures=2) is None


def test_no_attempt_is_scheduled_beyond_max_elapsed() -> None:
    policy = Retry(max_attempts=99, initial=10, backoff=1, jitter="none", max_elapsed=100)
    assert decided(policy, ValueError(), elapsed=90) == 10
    assert decided(policy, ValueError(), elapsed=90.1) is None
    assert decided(policy, RetryAfter(11), elapsed=90) is None
    assert decided(policy, RetryAfter(1), elapsed=99) == 1


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), float("-inf")])
def test_retry_after_takes_a_finite_number_of_seconds(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite number of seconds"):
        RetryAfter(seconds)


def test_retry_after_tells_its_delay_unless_told_what_to_say() -> None:
    assert str(RetryAfter(2.5)) == "asked to try again after 2.5 s"
    assert str(RetryAfter(2.5, "429 from the bank")) == "429 from the bank"
    assert RetryAfter(2).seconds == 2.0


@given(
    st.integers(1, 8),
    st.floats(0, 1e4),
    st.floats(1e-3, 1e4),
    st.sampled_from([ValueError(), RetryAfter(30), GiveUp(), SystemExit()]),
)
def test_retries_never_pass_the_number_of_attempts_nor_the_total_time(
    attempts: int, initial: float, limit: float, error: BaseException
) -> None:
    policy = Retry(max_attempts=attempts, initial=initial, max_delay=1e4, max_elapsed=limit)
    draw, elapsed, failures = random.Random(1), 0.0, 0
    while True:
        failures += 1
        wait = decide(policy, error, failures=failures, elapsed=elapsed, draw=draw)
        if wait is None:
            break
        elapsed += wait
        assert elapsed <= limit
    assert failures <= attempts
