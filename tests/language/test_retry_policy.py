"""The fields of a Retry: what delay they make, and which values are refused."""

import math
import pickle
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfast import Retry
from stepfast.errors import DefinitionError, GiveUp
from stepfast.language.retry import decide

failures = st.integers(1, 10_000)
policies = st.builds(
    Retry,
    initial=st.floats(0, 1e6),
    backoff=st.floats(1, 1e6),
    max_delay=st.floats(0, 1e6),
    jitter=st.sampled_from(["full", "equal", "none"]),
)


class Extreme(random.Random):
    """Draws the same fraction every time."""

    def __init__(self, fraction: float) -> None:
        super().__init__()
        self.fraction = fraction

    def random(self) -> float:
        return self.fraction


def delay(policy: Retry, after: int, fraction: float = 0.5) -> float:
    return policy.delay(after, Extreme(fraction))


def test_defaults_are_three_tries_with_full_jitter() -> None:
    policy = Retry()
    assert (policy.max_attempts, policy.jitter, policy.max_elapsed) == (3, "full", None)
    assert policy.retry_on == (Exception,)
    assert policy.give_up_on == ()


def test_delay_grows_by_the_backoff_from_the_initial_one() -> None:
    policy = Retry(initial=2, backoff=3, max_delay=1000, jitter="none")
    assert [delay(policy, n) for n in (1, 2, 3, 4)] == [2, 6, 18, 54]


def test_delay_stops_growing_at_max_delay() -> None:
    policy = Retry(initial=1, backoff=2, max_delay=5, jitter="none")
    assert [delay(policy, n) for n in (1, 2, 3, 4, 50)] == [1, 2, 4, 5, 5]


def test_initial_above_max_delay_is_cut() -> None:
    assert delay(Retry(initial=90, max_delay=60, jitter="none"), 1) == 60


def test_backoff_of_one_keeps_the_delay() -> None:
    policy = Retry(initial=7, backoff=1, jitter="none")
    assert {delay(policy, n) for n in range(1, 50)} == {7}


@pytest.mark.parametrize("initial", [1, 1.0, 1e-300, 1e300])
@pytest.mark.parametrize("backoff", [2, 2.0, 1e300, 10**6])
def test_a_power_too_large_for_a_float_is_max_delay(initial: float, backoff: float) -> None:
    policy = Retry(initial=initial, backoff=backoff, max_delay=60, jitter="none")
    assert delay(policy, 100_000) == 60


def test_no_initial_delay_stays_none_however_large_the_power() -> None:
    policy = Retry(initial=0, backoff=2.0, jitter="none")
    assert delay(policy, 5_000) == 0


@pytest.mark.parametrize(("jitter", "low", "high"), [("full", 0, 8), ("equal", 4, 8), ("none", 8, 8)])
def test_jitter_spans_its_range_to_both_ends(jitter: Any, low: float, high: float) -> None:
    policy = Retry(initial=8, jitter=jitter)
    assert delay(policy, 1, 0.0) == low
    assert delay(policy, 1, 1 - 2**-53) == pytest.approx(high)


@given(policies, failures, st.integers())
def test_jittered_delay_lies_between_its_bounds(policy: Retry, after: int, seed: int) -> None:
    whole = delay(
        Retry(initial=policy.initial, backoff=policy.backoff, max_delay=policy.max_delay, jitter="none"), after
    )
    least = {"full": 0.0, "equal": whole / 2, "none": whole}[policy.jitter]
    drawn = policy.delay(after, random.Random(seed))
    assert math.isfinite(drawn)
    assert least <= drawn <= whole <= policy.max_delay


@given(policies, failures, st.integers())
def test_the_same_draw_makes_the_same_delay(policy: Retry, after: int, seed: int) -> None:
    assert policy.delay(after, random.Random(seed)) == policy.delay(after, random.Random(seed))


NAN, INF = float("nan"), float("inf")
BAD = [
    *(("max_attempts", bad) for bad in (0, -1, 2.5, "3", NAN, INF, True)),
    *(("initial", bad) for bad in (-1, NAN, INF, "1", None, True, timedelta(-1))),
    *(("backoff", bad) for bad in (0.5, 0, -2, NAN, INF, "2", None)),
    *(("max_delay", bad) for bad in (-0.1, NAN, INF, "60", None)),
    *(("jitter", bad) for bad in ("", "half", None, 1, ["full"])),
    *(("max_elapsed", bad) for bad in (0, -5, NAN, INF, "9", True, timedelta())),
    *(("retry_on", bad) for bad in (ValueError, [ValueError], (ValueError(),), ("ValueError",), (int,), None)),
    *(("give_up_on", bad) for bad in (ValueError, [ValueError], (ValueError(),), (None,), {ValueError})),
]


@pytest.mark.parametrize(("field", "bad"), BAD)
def test_a_value_without_sense_is_refused_by_the_name_of_its_field(field: str, bad: Any) -> None:
    with pytest.raises(DefinitionError) as refused:
        Retry(**{field: bad})
    assert str(refused.value).startswith(f"Retry: {field} is ")
    assert ";" not in str(refused.value)


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(DefinitionError, match=r"max_attempts .*; initial .*; jitter "):
        Retry(max_attempts=0, initial=-1, jitter="some")  # type: ignore[arg-type]


def test_fields_are_given_by_name_only() -> None:
    with pytest.raises(TypeError):
        Retry(3)  # type: ignore[call-arg]


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Retry().max_attempts = 9  # type: ignore[misc]


def test_a_timedelta_is_its_seconds() -> None:
    policy = Retry(initial=timedelta(minutes=1), max_delay=timedelta(hours=1), max_elapsed=timedelta(days=2))
    assert (policy.initial, policy.max_delay, policy.max_elapsed) == (60.0, 3600.0, 172_800.0)
    assert policy == Retry(initial=60, max_delay=3600, max_elapsed=172_800)
    assert pickle.loads(pickle.dumps(policy)) == replace(policy, max_attempts=3) == policy


def test_tries_without_end_never_end_by_their_number() -> None:
    policy = Retry(max_attempts=None, jitter="none", max_elapsed=1e9)
    decided = [
        decide(policy, OSError(), failures=count, elapsed=0.0, draw=random.Random(0)) for count in (1, 7, 10_000, 10**9)
    ]
    assert decided == [1.0, 60.0, 60.0, 60.0]
    assert decide(policy, GiveUp("no"), failures=1, elapsed=0.0, draw=random.Random(0)) is None
    assert decide(policy, OSError(), failures=1, elapsed=1e9, draw=random.Random(0)) is None
