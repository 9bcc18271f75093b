"""Failures that repeat: the first of a kind is logged, and then one line a minute that has the number of the others."""

from __future__ import annotations

import logging

import pytest

from stepfast.errors import Misconfigured, Unavailable
from stepfast.local.work_failures import WorkFailures
from stepfast.repeated_failures import MAX_KINDS, RepeatedFailures

log = logging.getLogger("tests.repeated")


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def failures(clock: Time) -> RepeatedFailures:
    return RepeatedFailures(log, clock)


def test_of_a_thousand_failures_one_is_logged_and_the_others_are_counted(
    failures: RepeatedFailures, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        failures.note(logging.WARNING, "full", f"write {number}: the disk is full")
    assert caplog.messages == ["write 0: the disk is full"]
    clock.now += 61
    failures.note(logging.WARNING, "full", "write 1000: the disk is full")
    assert caplog.messages[1:] == ["write 1000: the disk is full (999 more of this kind in the last 61 s)"]


def test_each_kind_is_logged_for_itself(failures: RepeatedFailures, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("the disk is full", "the file is read-only", "the disk is full"):
        failures.note(logging.WARNING, text, text)
    assert caplog.messages == ["the disk is full", "the file is read-only"]


def test_what_was_left_out_is_reported_when_it_has_stopped(
    failures: RepeatedFailures, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        failures.note(logging.ERROR, "full", f"write {number}")
    failures.report()
    assert len(caplog.messages) == 1, "a minute has not passed"
    clock.now += 61
    failures.report()
    failures.report()
    assert caplog.messages[1:] == ["write 4 (3 more of this kind in the last 61 s)"]
    assert caplog.records[1].levelno == logging.ERROR
    failures.note(logging.ERROR, "full", "anew")
    assert caplog.messages[2:] == ["anew"]


def test_a_single_failure_is_not_reported_twice(
    failures: RepeatedFailures, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    failures.note(logging.ERROR, "full", "once")
    clock.now += 61
    failures.report()
    assert caplog.messages == ["once"]


def test_kinds_without_end_do_not_fill_the_memory(failures: RepeatedFailures) -> None:
    for number in range(3 * MAX_KINDS):
        failures.note(logging.DEBUG, f"kind {number}", "text")
    assert len(failures._kinds) == MAX_KINDS


def test_failed_work_of_many_executions_is_one_line_for_each_cause(caplog: pytest.LogCaptureFixture) -> None:
    failures = WorkFailures(log)
    waits = set()
    for number in range(50):
        waits.add(failures.note(f"advancing execution {number}", Unavailable("the disk is full")))
        waits.add(failures.note(f"the step 'one' of execution {number}", Misconfigured("make the file writable")))
        try:
            [][number]
        except IndexError as error:
            waits.add(failures.note(f"the timer ':timer' of execution {number}", error))
    assert waits == {1.0, 15.0}
    assert caplog.messages == [
        "advancing execution 0: the disk is full; trying again",
        "the step 'one' of execution 0: make the file writable; trying again in 15 s",
        "the timer ':timer' of execution 0 failed; trying again",
    ]
    # Not its text: that is made by whichever handler formats the record first, such as one of another test's engine.
    _, error_of_line, _ = caplog.records[2].exc_info or (None, None, None)
    assert isinstance(error_of_line, IndexError)
