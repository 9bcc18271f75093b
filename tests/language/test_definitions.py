"""@step and @workflow: what they take, what they refuse, what they leave as it was."""

import asyncio
import functools
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, current_step, step, workflow
from stepfast.errors import DefinitionError
from stepfast.language.steps import Step


@step
def plain(a: int, b: str = "x") -> str:
    """Adds nothing."""
    return f"{a}{b}"


@step(
    name="charge.v2",
    retry=Retry(max_attempts=5),
    timeout=timedelta(minutes=2),
    heartbeat=10,
    pool="payments",
    at_most_once=True,
)
async def charge(amount: int) -> int:
    return amount


def test_a_step_keeps_its_functions_name_module_and_docstring() -> None:
    assert plain.name == plain.__name__ == "plain"
    assert plain.__doc__ == "Adds nothing."
    assert plain.__module__ == __name__
    assert plain.__wrapped__ is plain.function
    assert repr(plain) == "<step 'plain'>"


def test_defaults_of_a_step() -> None:
    assert (plain.timeout, plain.heartbeat, plain.pool, plain.at_most_once) == (300.0, None, "default", False)
    assert plain.retry == Retry()
    assert not plain.is_async


def test_settings_of_a_step() -> None:
    assert (charge.name, charge.timeout, charge.heartbeat, charge.pool) == ("charge.v2", 120.0, 10.0, "payments")
    assert (charge.retry.max_attempts, charge.at_most_once, charge.is_async) == (5, True, True)


@pytest.mark.parametrize(("heartbeat", "lease"), [(None, 60.0), (10, 10.0), (600, 60.0)])
def test_a_lease_is_the_shorter_of_timeout_and_heartbeat(heartbeat: float | None, lease: float) -> None:
    assert step(timeout=60, heartbeat=heartbeat)(plain.function).lease == lease


def test_a_step_that_runs_at_most_once_is_not_retried_unless_told_to() -> None:
    assert step(at_most_once=True)(plain.function).retry.max_attempts == 1
    assert step(at_most_once=True, retry=Retry(max_attempts=2))(plain.function).retry.max_attempts == 2


def test_outside_a_workflow_a_step_is_its_function() -> None:
    as_function: Any = plain
    assert as_function(1) == "1x"
    assert as_function(2, b="y") == "2y"
    assert asyncio.run(charge.function(5)) == 5
    with pytest.raises(TypeError):
        as_function()


BAD_NAMES = ["a b", "a/b", "a#2", ":timer", "ü", "x" * 65, 5]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_steps_name_outside_the_alphabet_is_refused(name: Any) -> None:
    with pytest.raises(DefinitionError, match=r"a step name is 1 to 64 of A-Z a-z 0-9 \. _ -, not "):
        step(name=name)(plain.function)


@pytest.mark.parametrize("name", [*BAD_NAMES, "", None])
def test_a_pools_name_is_of_the_same_alphabet(name: Any) -> None:
    with pytest.raises(DefinitionError, match="a pool name is 1 to 64 of"):
        step(pool=name)(plain.function)


@pytest.mark.parametrize("setting", ["timeout", "heartbeat"])
@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), "60", True, timedelta(0)])
def test_a_time_that_is_none_is_refused_by_step_and_setting(setting: str, bad: Any) -> None:
    with pytest.raises(DefinitionError, match=f"step 'plain': {setting} is a number of seconds above 0"):
        step(**{setting: bad})(plain.function)


def generator() -> Any:
    yield 1


async def async_generator() -> Any:
    yield 1


@pytest.mark.parametrize("function", [generator, async_generator])
def test_a_generator_is_no_step(function: Any) -> None:
    with pytest.raises(DefinitionError, match="is a generator: return a list, or split it into steps"):
        step(function)


@pytest.mark.parametrize("target", [5, "f", int, None])
def test_only_functions_are_steps(target: Any) -> None:
    with pytest.raises(DefinitionError, match="@step goes on a function"):
        step()(target)


def test_a_retry_is_a_retry() -> None:
    with pytest.raises(DefinitionError, match="step 'plain': retry takes a Retry, not 3"):
        step(retry=3)(plain.function)  # type: ignore[call-overload]


def test_a_nameless_callable_needs_a_name() -> None:
    with pytest.raises(DefinitionError, match="step name"):
        step(functools.partial(plain.function, 1))
    assert isinstance(step(name="p")(functools.partial(plain.function, 1)), Step)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(DefinitionError, match="'<lambda>'"):
        step(lambda: 1)


# -- workflows ------------------------------------------------------------------------------------------


@workflow("two-words")
async def titled(n: int) -> int:
    """Returns it."""
    return n


@workflow
async def untitled() -> None: ...


def test_a_workflow_has_a_name_and_its_functions_docstring() -> None:
    assert (titled.name, titled.__doc__, repr(titled)) == ("two-words", "Returns it.", "<workflow 'two-words'>")
    assert untitled.name == "untitled"


def test_called_in_code_a_workflow_is_its_function() -> None:
    assert asyncio.run(titled(4)) == 4


def test_a_workflow_is_an_async_function() -> None:
    with pytest.raises(DefinitionError, match="workflow 'w': @workflow goes on an `async def` function"):
        workflow("w")(plain.function)
    with pytest.raises(DefinitionError, match="`async def`"):
        workflow("w")(async_generator)


async def two(a: int, b: int) -> None: ...
async def named_only(*, a: int) -> None: ...
async def any_number(*a: int) -> None: ...


@pytest.mark.parametrize("function", [two, named_only, any_number])
def test_a_workflow_takes_one_argument_at_most(function: Any) -> None:
    with pytest.raises(DefinitionError, match="takes at most one argument: gather its inputs in one model"):
        workflow("w")(function)


@pytest.mark.parametrize("name", [*BAD_NAMES, "", None])
def test_a_workflows_name_is_of_the_same_alphabet(name: Any) -> None:
    with pytest.raises(DefinitionError, match="a workflow name is"):
        workflow(name)(titled.function)


def test_a_workflow_without_argument_takes_null() -> None:
    assert untitled.input.encode(None)[0] == "null"
    untitled.coroutine("null").close()


def test_current_step_is_for_running_steps() -> None:
    with pytest.raises(LookupError, match="works only while a worker runs a step"):
        current_step()
