"""What the documents claim: each claim of the threat model has its test, each setting that is shown exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from stepfast.functions.project import Project

ROOT = Path(__file__).parents[2]


def test_every_claim_of_the_threat_model_has_its_test() -> None:
    claimed = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/threat-model.md").read_text()))
    there = {
        name
        for folder in ("tests/infra", "tests/e2e")
        for path in (ROOT / folder).glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(claimed) > 15
    assert claimed <= there


def test_the_settings_that_are_shown_exist() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), re.DOTALL)
    project = Project.of(tomllib.loads(block)["tool"]["stepfast"])
    assert project.pools["pdf"].memory == 1024
