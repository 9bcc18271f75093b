"""The pytest plugin of stepfast. pytest finds it without any configuration.

It is a package of its own, and imports stepfast only in its fixture: pytest loads plugins in every run of every project
of an environment, also where no workflow is tested.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stepfast.testing import Environment, MakeEnvironment

__all__ = ["stepfast_env"]

_environments = pytest.StashKey["list[Environment]"]()


@pytest.fixture
def stepfast_env(request: pytest.FixtureRequest) -> Iterator[MakeEnvironment]:
    """A fixture that makes environments for a test: call it as you would call Environment.

    The environments are closed after the test. When the test fails, its report has the timelines of their executions.
    """
    from stepfast.testing import Environment

    environments = request.node.stash.setdefault(_environments, [])
    with ExitStack() as stack:

        def make(*workflows: Any, **options: Any) -> Environment:
            environment = stack.enter_context(Environment(*workflows, **options))
            environments.append(environment)
            return environment

        yield make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        for environment in item.stash.get(_environments, []):
            report.sections += [("stepfast", run.timeline) for run in environment.runs]
    return report
