"""Whose code a thread stands in, judged by its frames."""

from __future__ import annotations

import asyncio
import importlib
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from stepfast import step, workflow
from stepfast.local.stack_positions import Place, place_of

HERE = Path(__file__).name


validators: list[Callable[[], None]] = []


def looked_at(number: int) -> int:
    for validator in validators:
        validator()
    return number


class Probe:
    """Asks for the place at the first call that a test points at, while the code runs there."""

    def __init__(self) -> None:
        self.found: Place | None = None
        self.wanted: Callable[[FrameType], bool] = lambda frame: False

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        if self.found is None and event in ("call", "c_call") and self.wanted(frame):
            self.found = place_of(frame)

    def here(self) -> None:
        self.found = place_of(sys._getframe())


@pytest.fixture
def probe() -> Probe:
    return Probe()


def test_in_a_step_also_in_a_library_that_it_calls(embedded: Any, probe: Probe) -> None:
    @step
    async def blocks() -> None:
        sorted([1, 2], key=lambda number: probe.here() or number)

    @workflow("w")
    async def w() -> None:
        await blocks()

    embedded(w).run("w")
    assert probe.found is not None
    assert probe.found.kind == "step"
    assert "must be a `def`" in probe.found.advice


def test_in_a_step_that_sleeps_though_stepfast_has_wrapped_that(embedded: Any, probe: Probe) -> None:
    probe.wanted = lambda frame: frame.f_code.co_filename.endswith("stepfast/replay/forbidden.py")

    @step
    async def sleeps() -> None:
        sys.setprofile(probe.profile)
        try:
            time.sleep(0)
        finally:
            sys.setprofile(None)

    @workflow("w")
    async def w() -> None:
        await sleeps()

    embedded(w).run("w")
    assert probe.found is not None
    assert (probe.found.kind, HERE in probe.found.caller) == ("step", True)


def test_in_a_step_after_its_first_turn(embedded: Any, probe: Probe) -> None:
    @step
    async def blocks() -> None:
        await asyncio.sleep(0.001)
        probe.here()

    @workflow("w")
    async def w() -> None:
        await blocks()

    embedded(w).run("w")
    assert probe.found is not None
    assert probe.found.kind == "step"


def test_in_workflow_code(embedded: Any, probe: Probe) -> None:
    @workflow("w")
    async def w() -> None:
        probe.here()

    embedded(w).run("w")
    assert probe.found is not None
    assert (probe.found.kind, HERE in probe.found.caller) == ("workflow", True)


def test_in_code_of_the_user_that_is_neither(embedded: Any, probe: Probe) -> None:
    validators.append(probe.here)

    @workflow("w")
    async def w(number: Annotated[int, AfterValidator(looked_at)]) -> int:
        return number

    embedded(w).run("w", 1)
    validators.clear()
    assert probe.found is not None
    assert probe.found.kind == "code"


@pytest.mark.parametrize("where", ["import", "tls"])
def test_in_an_import_or_a_tls_context_that_a_step_makes(
    embedded: Any, probe: Probe, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_by_step.py").write_text("import string\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    files = {"import": "<frozen importlib._bootstrap>", "tls": ssl.__file__}
    probe.wanted = lambda frame: frame.f_code.co_filename == files[where]

    @step
    async def begins() -> None:
        sys.setprofile(probe.profile)
        try:
            if where == "import":
                importlib.reload(__import__("imported_by_step"))
            else:
                ssl.create_default_context()
        finally:
            sys.setprofile(None)

    @workflow("w")
    async def w() -> None:
        await begins()

    embedded(w).run("w")
    assert probe.found is not None
    assert (probe.found.kind, HERE in probe.found.caller) == (where, True)


def test_in_stepfasts_own_code(embedded: Any, probe: Probe) -> None:
    probe.wanted = lambda frame: frame.f_code.co_filename.endswith("stepfast/values/codec.py")

    @workflow("w")
    async def w() -> None:
        sys.setprofile(probe.profile)
        await nothing([1, 2, 3])

    @step
    async def nothing(numbers: list[int]) -> None:
        sys.setprofile(None)

    embedded(w).run("w")
    assert probe.found is not None
    assert probe.found.kind == "stepfast"
    assert "nothing of yours" in probe.found.advice
