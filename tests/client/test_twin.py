"""AsyncClient has all that Client has: it is written from Client's source."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import AsyncClient, AsyncExecution, Client, Execution
from tests.client.twin import FOLDER, twins

PAIRS = [(Client, AsyncClient), (Execution, AsyncExecution)]
WITHOUT_INPUT_OR_OUTPUT = {"execution", "url", "urls"}


def test_the_modules_of_the_twin_are_as_they_would_be_written_now() -> None:
    stale = [file for file, text in twins().items() if (FOLDER / file).read_text(encoding="utf-8") != text]
    assert stale == [], "run `make async-client`"


def public(kind: type) -> dict[str, Any]:
    return {name: member for name, member in vars(kind).items() if not name.startswith("_")}


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    return [(each.name, each.kind, each.default) for each in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("plain", "twin"), PAIRS)
def test_each_public_member_has_its_twin_with_the_same_signature(plain: type, twin: type) -> None:
    assert public(plain).keys() == public(twin).keys()
    assert parameters(plain.__init__) == parameters(twin.__init__)  # type: ignore[misc]
    for name, member in public(plain).items():
        other = public(twin)[name]
        if isinstance(member, property):
            assert isinstance(other, property), name
            continue
        assert parameters(member) == parameters(other), name
        assert inspect.isasyncgenfunction(other) == inspect.isgeneratorfunction(member), name
        waits = inspect.iscoroutinefunction(other) or inspect.isasyncgenfunction(other)
        assert waits == (name not in WITHOUT_INPUT_OR_OUTPUT), name
        assert not inspect.iscoroutinefunction(member), name
        returned = str(inspect.signature(member).return_annotation)
        assert str(inspect.signature(other).return_annotation) == _twin_of(returned), name


def _twin_of(annotation: str) -> str:
    if annotation.startswith("Iterator"):
        annotation = f"Async{annotation}"
    return annotation.replace("Execution", "AsyncExecution")
