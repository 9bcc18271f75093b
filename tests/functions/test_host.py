"""The clock of a function: the machine's, and AWS's where the machine's is off."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from stepfast.functions.host import WallClock

NOW = 1_795_000_000.25


def answer(at: float | str | None) -> Any:
    date = formatdate(at, usegmt=True) if isinstance(at, float) else at
    return SimpleNamespace(headers={} if date is None else {"date": date})


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield WallClock()


@pytest.mark.parametrize("off", [-0.7, 0.0, 0.7])
def test_a_clock_that_is_right_to_the_second_is_left_as_it_is(clock: WallClock, off: float) -> None:
    clock.hear(answer(NOW + off))
    assert clock.now() == time.time()


@pytest.mark.parametrize("off", [-240.0, -2.0, 2.0, 240.0])
def test_a_clock_that_is_off_goes_by_what_aws_answers(clock: WallClock, off: float) -> None:
    clock.hear(answer(NOW + off), parsed={}, model=None, context={})
    assert clock.now() == pytest.approx(NOW + off, abs=0.6)


def test_it_does_not_follow_every_answer(clock: WallClock) -> None:
    clock.hear(answer(NOW + 60.0))
    before = clock.now()
    for late in (0.0, 0.4, 0.8):
        clock.hear(answer(NOW + 60.0 - late))
    assert clock.now() == before


def test_a_clock_that_is_put_right_meanwhile_goes_by_itself_again(clock: WallClock) -> None:
    clock.hear(answer(NOW + 60.0))
    clock.hear(answer(NOW))
    assert clock.now() == time.time()


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_an_answer_that_tells_no_time_changes_nothing(clock: WallClock, date: str | None) -> None:
    clock.hear(answer(date))
    assert clock.now() == time.time()
