"""One execution for each test, and the steps that its workflows are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stepfast.language.steps import Step
from tests.versioning.versions import Versions, named


@pytest.fixture
def ran() -> list[str]:
    """Which steps have run, in order."""
    return []


@pytest.fixture
def do(ran: list[str]) -> Callable[..., Any]:
    """do("pay", 3) calls the step `pay`."""
    steps: dict[str, Step[..., Any]] = {}

    def call(name: str, *arguments: Any) -> Any:
        if name not in steps:
            steps[name] = named(name, ran)
        return steps[name](*arguments)

    return call


@pytest.fixture
def app(tmp_path: Path, ran: list[str]) -> Iterator[Versions]:
    made = Versions(tmp_path / "test.db", ran)
    yield made
    made.runtime.close()
