"""What all tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import is_hypothesis_test, settings
from xdist.scheduler import LoadScopeScheduling

from tests.lanes import SEED, SOAK, examples, is_long

CI = os.environ.get("CI") == "true"

# Machines are shared, so no example has a deadline. In the gate the examples are the same each time: what lands depends
# on the change, not on luck. Each night they are new; `make soak` passes the night's seed as --hypothesis-seed.
settings.register_profile("gate", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("soak", deadline=None, print_blob=True, max_examples=examples(100))
settings.load_profile("soak" if SOAK else "gate")


PATIENCE = 900
"""Seconds for a test of hypothesis: one that is cut off in an example and repeats it says FlakyFailure, not Timeout."""
NIGHT = 7200
"""Seconds for a test of the nightly lane."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make check` does not even import what it leaves out: the CDK alone takes seconds."""
    return True if config.option.markexpr == "not slow" and is_long(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "timing" not in config.option.markexpr:
        timings = [item for item in items if item.get_closest_marker("timing")]
        config.hook.pytest_deselected(items=timings)
        items[:] = [item for item in items if item not in timings]
    for item in items:
        if is_long(item.path):
            item.add_marker("slow")
        test = item.obj if isinstance(item, pytest.Function) else None
        if is_hypothesis_test(test) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(PATIENCE))
        if SOAK:
            item.add_marker(pytest.mark.timeout(NIGHT), append=False)
    items.sort(key=_turn)


def pytest_collection_finish(session: pytest.Session) -> None:
    """All modules of all tests are loaded: half a gigabyte, which no collection need go through from now on."""
    _leave_out_what_is_there()


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """A command that sets variables of its process, such as `stepfast invoke`, sets none for the tests that follow."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def small_heap() -> None:
    """For tests that collect garbage again and again: a collection goes only through what they make themselves."""
    _leave_out_what_is_there()


def _leave_out_what_is_there() -> None:
    gc.collect()
    gc.freeze()


TOGETHER = ("tests/e2e", "tests/browser", "tests/infra")
"""Folders whose tests share something large: an emulator, a browser, a synth."""
SPREAD = (
    "tests/simulation/test_simulation.py",
    "tests/simulation/test_invariants.py",
    "tests/cloud/test_exploration.py",
)
"""Files of long tests that share nothing."""


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one file run in one process, since they share fixtures.

    Not by xdist's marks of groups: xdist 3.8 hands them over in `_nodeid`, which pytest 9.2 does not have any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        folder = "/".join(file.split("/")[:2])
        return folder if folder in TOGETHER else nodeid if file in SPREAD else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


def _turn(item: pytest.Item) -> int:
    """Long groups first, so that none is under way alone at the end: the emulator's, the browser's, real processes."""
    return {"e2e": 0, "browser": 1}.get(item.path.parent.name, 2 if item.get_closest_marker("slow") else 3)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a test needs and this machine lacks: the test is skipped, but in CI nothing is left out."""
    for marker in item.iter_markers("lacks"):
        (pytest.fail if CI else pytest.skip)(marker.args[0])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says how many crash points were explored (tests record a property of that name), and how to repeat a night."""
    if SOAK:
        terminalreporter.write_line(
            f"repeat a test of this night with: PYTHONHASHSEED={SEED} STEPFAST_SOAK={SEED} "
            f".venv/bin/python -m pytest --hypothesis-seed={SEED} TEST"
        )
    passed = terminalreporter.stats.get("passed", ())
    points = sum(value for one in passed for name, value in one.user_properties if name == "crash points")
    if points:
        terminalreporter.write_line(f"crash points explored: {points}")
    for report in passed:
        for name, value in report.user_properties:
            if name == "seed to remember":
                terminalreporter.write_line(f"write into tests/simulation/first_seeds.py: {value}")
