"""What is stored of a failure, and which commands are named as being behind it."""

import asyncio
from typing import Any

import pytest

from stepfast import StepFailed
from stepfast.errors import NonDeterministic
from stepfast.language.workflows import Workflow
from stepfast.model import Failure, Record
from stepfast.replay.failures import (
    MESSAGE_LIMIT,
    TRACEBACK_LIMIT,
    behind,
    causes_of,
    chain,
    describe_error,
    failure_of,
)
from tests.replay.driver import played, started
from tests.replay.steps import boom, echo


def test_an_error_is_described_by_its_class_text_and_place() -> None:
    replay = started(raising(KeyError("missing")))
    failure = failure_of(replay)
    assert (failure.type, failure.message, failure.step) == ("KeyError", "'missing'", None)
    assert failure.traceback is not None
    assert "raise error" in failure.traceback
    assert failure.traceback.startswith("Traceback (most recent call last)")


def raising(error: BaseException) -> Any:
    async def body() -> None:
        raise error

    return body


def test_long_texts_are_cut() -> None:
    failure = describe_error(ValueError("x" * 100_000))
    assert len(failure.message) == MESSAGE_LIMIT + 1
    assert len(failure.traceback or "") == TRACEBACK_LIMIT + 1


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_error_without_a_text_is_described_all_the_same() -> None:
    assert describe_error(Broken()).type == "Broken"
    assert describe_error(Broken()).message == "(its text cannot be shown)"
    assert describe_error(ValueError()).message == ""


def test_half_characters_are_spelled_out() -> None:
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    failure = describe_error(ValueError(f"no such file: {name}"))
    assert failure.message == "no such file: caf\\udce9.txt"
    assert (failure.traceback or "").encode()


def test_a_failed_steps_own_error_is_the_executions() -> None:
    async def body() -> int:
        return await boom("no paper")

    play = played(body)
    play.records["boom"] = Record(
        "boom",
        "step",
        "boom",
        "FAILED",
        0,
        attempt=3,
        error=Failure("PrinterError", "no paper", "boom", "Traceback of the step"),
        ended_at=play.now,
    )
    failure = failure_of(play.replay())
    assert failure == Failure("PrinterError", "no paper", "boom", "Traceback of the step")


def test_an_error_raised_from_a_failed_step_keeps_its_own_text_and_names_the_step() -> None:
    async def body() -> int:
        try:
            return await boom("x")
        except StepFailed as error:
            raise LookupError("cannot go on") from error

    replay = played(body).replay()
    failure = failure_of(replay)
    assert (failure.type, failure.message, failure.step) == ("LookupError", "cannot go on", "boom")
    assert "The above exception was the direct cause" in (failure.traceback or "")
    assert causes_of(replay) == ("boom",)


def test_a_failed_step_that_was_dealt_with_is_not_behind_another_steps_failure() -> None:
    async def body() -> None:
        try:
            await boom("first")
        except StepFailed:
            await echo(1)
        await boom("second")

    assert causes_of(played(body).replay()) == ("boom#2",)


def test_every_failed_step_that_was_seen_is_behind_an_error_that_names_none() -> None:
    async def body() -> None:
        for text in ("first", "second"):
            try:
                await boom(text)
            except StepFailed:
                await echo(1)
        raise KeyError("later")

    assert causes_of(played(body).replay()) == ("boom", "boom#2")


def test_code_that_does_not_fit_its_records_has_no_step_behind_it() -> None:
    async def body() -> None:
        try:
            await boom("first")
        except StepFailed:
            pass
        await echo(1)

    async def changed() -> None:
        try:
            await boom("first")
        except StepFailed:
            pass
        await echo(2)

    play = played(body)
    play.workflow = Workflow(changed, "w")
    replay = play.replay()
    assert isinstance(replay.error, NonDeterministic)
    assert causes_of(replay) == ()


def test_a_hand_made_step_failure_names_no_command() -> None:
    async def body() -> None:
        raise StepFailed("other", "other", "X", "made by hand", 1)

    replay = played(body).replay()
    assert causes_of(replay) == ()
    assert failure_of(replay).message == "step 'other' failed after 1 attempt(s): X: made by hand"


def test_cancelling_itself_fails_the_execution() -> None:
    async def body() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("enough")
        await echo(1)

    failure = failure_of(started(body))
    assert (failure.type, failure.message) == ("CancelledError", "enough")


def failed(id: str) -> StepFailed:
    return StepFailed("s", id, "X", "", 1)


def chained(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "ids"),
    [
        (None, []),
        (ValueError(), []),
        (failed("a"), ["a"]),
        (chained(ValueError(), failed("a")), ["a"]),
        (chained(failed("b"), failed("a")), ["b"]),
        (ExceptionGroup("", [failed("a"), ExceptionGroup("", [failed("b")]), ValueError()]), ["a", "b"]),
        (chained(ValueError(), ExceptionGroup("", [chained(KeyError(), failed("a"))])), ["a"]),
        (BaseExceptionGroup("", [asyncio.CancelledError(), failed("a")]), ["a"]),
    ],
)
def test_failures_behind_an_error(error: BaseException | None, ids: list[str]) -> None:
    assert [one.step_id for one in behind(error)] == ids


def test_errors_that_cause_each_other_are_gone_through_once() -> None:
    one, other = ValueError(1), ValueError(2)
    one.__cause__, other.__cause__ = other, one
    assert list(chain(one)) == [one, other]
