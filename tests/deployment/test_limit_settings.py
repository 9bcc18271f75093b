"""Numbers of limits in pyproject.toml: they win over code, in both homes, and what does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepfast import Limit, step, workflow
from stepfast.deployment.limit_settings import limits_in, limits_text, numbers_of
from stepfast.deployment.project import LimitSettings, Project
from stepfast.errors import DefinitionError, StartupError
from stepfast.language.limits import Rate
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.testing import MotoCloud

MAIL = Limit("mail", rate=10, per=60, burst=3)
PDF = Limit("pdf", concurrency=2)


@step(limits=[MAIL, PDF])
async def send(n: int) -> int:
    return n


@workflow("sending")
async def sending(n: int) -> int:
    return await send(n)


REGISTRY = Registry([sending])


def test_settings_win_over_code_and_the_others_stay() -> None:
    project = Project.of({"limits": {"mail": {"rate": 5}, "pdf": {"concurrency": 7}}})
    numbers = numbers_of(REGISTRY, project.limits)
    assert (numbers["mail"].rate, numbers["pdf"].concurrency) == (Rate(5, 60, 3), 7)
    assert numbers_of(REGISTRY, {}) == {}
    assert (MAIL.numbers.rate, PDF.numbers.concurrency) == (Rate(10, 60, 3), 2)


def test_they_reach_the_functions_as_they_are() -> None:
    settings = {"mail": LimitSettings(rate=0.5, per=2.0)}
    assert limits_in(limits_text(settings)) == settings
    with MotoCloud(sending, project=Project(limits={"pdf": LimitSettings(concurrency=9)})) as cloud:
        shown = json.loads(cloud.request("GET", "/v1/limits/pdf").body)
    assert (shown["numbers"]["concurrency"], shown["declared"]["concurrency"]) == (9, 2)


def test_limits_of_one_name_must_agree() -> None:
    @step(limits=[Limit("mail", rate=11, per=60, burst=3)])
    async def other(n: int) -> int:
        return n

    @workflow("othering")
    async def othering(n: int) -> int:
        return await other(n) + await send(n)

    with pytest.raises(DefinitionError, match="limit 'mail' is declared twice"):
        Registry([othering]).check()


def test_they_reach_the_embedded_home(tmp_path: Path) -> None:
    numbers = numbers_of(REGISTRY, {"pdf": LimitSettings(concurrency=9)})
    with Runtime(REGISTRY, tmp_path / "test.db", limit_numbers=numbers) as runtime:
        report = runtime.call(runtime.operations.limits.describe("pdf"))
    assert (report.numbers.concurrency, report.declared.concurrency) == (9, 2)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"mial": {"rate": 5}}, r"limits\.mial\] is for a limit that no step has; there are: mail, pdf"),
        ({"mail": {"concurrency": 5}}, "the code, which decides|in code, which decides"),
        ({"pdf": {"rate": 5}}, "in code, which decides"),
        ({"pdf": {"burst": 5}}, "for a limit that has a rate"),
        ({"mail": {"rate": 0}}, "rate is a number above 0"),
        ({"mail": {"rates": 1}}, "has no setting 'rates'"),
    ],
)
def test_what_does_not_fit_is_named(table: dict[str, dict[str, float]], says: str) -> None:
    with pytest.raises(StartupError, match=says):
        numbers_of(REGISTRY, Project.of({"limits": table}).limits)
