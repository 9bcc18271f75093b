"""Code that no longer asks for what is recorded fails the execution, naming both; nothing is guessed."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import signal, step, workflow
from stepfast.errors import NonDeterministic, NotStorable, StepFailed
from stepfast.model import Execution, Failure, Record
from stepfast.replay.replay import Replay
from tests.replay.driver import CREATED
from tests.replay.steps import boom, double, echo, note


def done(id: str, output: str = "1", input: str | None = None, kind: Any = "step", status: Any = "SUCCEEDED") -> Record:
    name = id.rpartition("/")[2].partition("#")[0]
    return Record(id, kind, name, status, 0, input=input, output=output, ended_at=CREATED + 1)


def replayed(body: Any, *records: Record, applied: tuple[str, ...] = (), input: str = "null") -> Replay:
    replay = Replay(workflow("w")(body), Execution("e", "w", input, CREATED))
    replay.advance({one.id: one for one in records}, applied)
    replay.close()
    return replay


def complaint(replay: Replay) -> str:
    assert replay.finished
    assert isinstance(replay.error, NonDeterministic), replay.error
    return str(replay.error)


async def asks() -> int:
    return await echo(2)


def test_another_input_is_named_beside_the_recorded_one() -> None:
    said = complaint(replayed(asks, done("echo", input='{"value":1}')))
    assert said == ('\'echo\' was recorded with the input {"value":1}; the code now asks for it with {"value":2}')


@pytest.mark.parametrize("status", ["RUNNING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED"])
def test_the_input_is_compared_from_the_first_attempt_on(status: Any) -> None:
    complaint(replayed(asks, done("echo", input='{"value":1}', status=status)))


def test_a_command_re_opened_by_a_resume_may_have_another_input() -> None:
    replay = replayed(asks, done("echo", input='{"value":1}', status="OPEN"))
    assert replay.outstanding["echo"].input == '{"value":2}'


def test_long_inputs_are_cut_in_the_message() -> None:
    async def body() -> str:
        return await note("y" * 5000)

    said = complaint(replayed(body, done("note", input='{"text":"' + "x" * 5000 + '"}')))
    assert len(said) < 600
    assert "xxx…" in said
    assert "yyy…" in said


def test_equal_inputs_in_another_spelling_are_the_same() -> None:
    assert replayed(asks, done("echo", input='{ "value" : 2.0 }')).result == "1"


@pytest.mark.parametrize(
    ("id", "kind"), [("echo", "timer"), ("echo", "signal"), (":timer", "step"), ("signal:go", "step")]
)
def test_a_command_of_another_kind_is_named(id: str, kind: Any) -> None:
    async def body() -> None:
        if id == "echo":
            await echo(1)
        elif id == ":timer":
            await asyncio.sleep(5)
        else:
            await signal("go")

    said = complaint(replayed(body, done(id, kind=kind)))
    assert f"{id!r} was recorded as a {kind}" in said


def test_an_order_that_the_code_does_not_follow_is_named() -> None:
    async def body() -> tuple[int, int]:
        return await asyncio.gather(echo(1), double(2))

    said = complaint(replayed(body, done("echo"), applied=("note", "echo")))
    assert (
        said
        == "the recorded order goes on with 'note', but the code does not wait for it; it waits for 'echo', 'double'"
    )


def test_a_result_that_no_longer_fits_its_type_is_named() -> None:
    said = complaint(replayed(asks, done("echo", output='"many"')))
    assert "what 'echo' has recorded no longer fits its type" in said
    assert "step 'echo': result" in said


class Order(BaseModel):
    amount: int


def test_an_input_that_no_longer_fits_its_type_is_named() -> None:
    async def body(order: Order) -> int:
        return await echo(order.amount)

    said = complaint(replayed(body, input='{"amount": "much"}'))
    assert "the recorded input no longer fits its type: workflow 'w': input: amount" in said


def test_catching_the_complaint_does_not_help() -> None:
    async def body() -> int:
        try:
            return await echo(2)
        except Exception:
            return 0

    complaint(replayed(body, done("echo", input='{"value":1}')))


def test_a_renamed_step_is_another_step_and_the_old_record_is_left_alone() -> None:
    async def body() -> int:
        return await double(1)

    replay = replayed(body, done("echo"))
    assert list(replay.outstanding) == ["double"]
    assert not replay.finished


def test_a_step_put_between_recorded_ones_is_asked_for() -> None:
    async def body() -> int:
        first = await echo(1)
        await note("new")
        return first + await echo(2)

    replay = replayed(body, done("echo"), done("echo#2"))
    assert list(replay.outstanding) == ["note"]


def test_a_parameter_added_with_a_default_is_compatible() -> None:
    @step(name="echo")
    def wider(value: int, scale: int = 1) -> int:
        return value * scale

    async def body() -> int:
        return await wider(2)

    assert replayed(body, done("echo", input='{"value":2}')).result == "1"


# -- failures as the code sees them --------------------------------------------------------------------


def failed(id: str, status: Any = "FAILED", error: Failure | None = None) -> Record:
    return Record(id, "step", "boom", status, 0, attempt=3, error=error, ended_at=CREATED)


async def catches() -> list[Any]:
    try:
        await boom()
    except StepFailed as error:
        return [error.step, error.step_id, error.error_type, error.message, error.attempts]
    return []


def test_a_failed_step_arrives_with_its_name_error_and_attempts() -> None:
    replay = replayed(catches, failed("boom", error=Failure("ValueError", "no such account")))
    assert replay.result == '["boom","boom","ValueError","no such account",3]'


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_record_without_an_error_is_a_failure_all_the_same(status: Any) -> None:
    assert replayed(catches, failed("boom", status)).result == '["boom","boom","Unknown","",3]'


def test_a_result_of_the_workflow_that_cannot_be_stored_fails_it_by_name() -> None:
    async def body() -> int:
        return "text"  # type: ignore[return-value]

    replay = replayed(body)
    assert isinstance(replay.error, NotStorable)
    assert str(replay.error).startswith("workflow 'w': result: ")


def test_an_argument_that_cannot_be_stored_fails_the_execution_by_name() -> None:
    async def body() -> int:
        return await echo(object())  # type: ignore[arg-type]

    replay = replayed(body)
    assert isinstance(replay.error, NotStorable)
    assert str(replay.error).startswith("step 'echo': argument.value: ")


def test_a_wrong_call_of_a_step_fails_where_it_stands() -> None:
    async def body() -> str:
        try:
            await echo()  # type: ignore[call-arg]
        except TypeError as error:
            return str(error)
        return ""

    assert replayed(body).result == "\"missing a required argument: 'value'\""
