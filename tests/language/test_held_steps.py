"""Steps that an object of a library holds, and what libraries read of a step."""

import inspect
import typing
from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.language import reachable
from stepfast.language.registry import Registry


@step
async def pay(cents: int, to: str = "ann") -> str:
    """Pays somebody."""
    return f"{cents} to {to}"


class Machine:
    """Stands for a class of a library, whose objects the search does not look into."""

    def __init__(self, held: list[Any]) -> None:
        self.held = held


Machine.__module__ = "json"
machine = Machine([pay])


@workflow("machines")
async def machines() -> str:
    return str(machine)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachable, "_holders", {})
    reachable.steps_held_by(Machine, lambda held: held.held)
    return


def test_objects_of_libraries_are_not_searched() -> None:
    assert Registry([machines]).steps == ()


@pytest.mark.usefixtures("declared")
def test_an_integration_says_what_they_hold() -> None:
    assert Registry([machines]).steps == (pay,)


def test_a_step_describes_itself_as_its_function_does() -> None:
    described: Any = pay
    assert typing.get_type_hints(described) == {"cents": int, "to": str, "return": str}
    assert inspect.signature(described) == inspect.signature(pay.function)
    assert (described.__name__, described.__qualname__, described.__doc__) == ("pay", "pay", "Pays somebody.")
