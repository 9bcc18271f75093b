"""What the documents claim: each claim of the threat model has its test, each setting that is shown exists."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from stepfast.deployment.project import PoolSettings, Project
from stepfast.deployment.schedules import ScheduledStart, wrong_in

ROOT = Path(__file__).parents[2]


def test_every_claim_of_the_threat_model_has_its_test() -> None:
    text = (ROOT / "docs/threat-model.md").read_text()
    claimed = set(re.findall(r"`(test_\w+)`", text))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert claimed <= there
    claims = [
        claim for section in text.split("\n## ")[1:] for claim in re.split(r"\n\n|\n- ", section)[1:] if claim.strip()
    ]
    assert len(claims) > 12
    assert not [claim for claim in claims if "`test_" not in claim]


def test_the_settings_that_are_shown_exist_and_the_costs_are_those_that_were_counted() -> None:
    text = (ROOT / "docs/deploy.md").read_text()
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    project = Project.of(tomllib.loads(block)["tool"]["stepfast"])
    assert project.pools["pdf"].memory == 1024
    assert wrong_in(project.schedules["quarterly"].expression) is None
    sections = text.split("\n## ")
    (costs,) = (section for section in sections if section.startswith("What it costs"))
    prices = re.findall(r"\$[\d.]*\d", costs)
    assert len(prices) >= 4
    assert not [price for price in prices if price not in (ROOT / "docs/costs.md").read_text()]


def test_all_settings_there_are_are_told() -> None:
    text = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    for kind in (Project, PoolSettings, ScheduledStart):
        assert not [field.name for field in fields(kind) if not re.search(rf"\b{field.name}\b", text)], kind
