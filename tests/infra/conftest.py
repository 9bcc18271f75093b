"""One synth for all tests of the stack: it takes seconds, whatever is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from stepfast.functions.plan import Plan
from stepfast.functions.project import Project
from stepfast.infra.app import workflows_of
from stepfast.infra.bundle import Bundle
from stepfast.infra.constructs.schedules import ScheduledStart
from stepfast.infra.stack import Options, StepfastStack

PROJECT = Path(__file__).with_name("project")
HOME = Environment(account="111122223333", region="eu-central-1")
Template = dict[str, Any]


@dataclass(frozen=True)
class Synthesized:
    """The templates by stack, and where they are."""

    folder: Path
    templates: dict[str, Template] = field(repr=False)

    @property
    def plain(self) -> Template:
        return self.templates["plain"]

    @property
    def full(self) -> Template:
        return self.templates["full"]


@pytest.fixture(scope="session")
def plan() -> Plan:
    project = Project.read(PROJECT / "pyproject.toml")
    return Plan.of(workflows_of(PROJECT, project), project)


@pytest.fixture(scope="session")
def synthesized(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """`plain` as the project's settings have it, `second` the same again, `full` with everything switched on.

    `networked` runs in a VPC, of which the CDK makes up what it would have looked up.
    """
    folder = tmp_path_factory.mktemp("cdk")
    # What functions are made of has tests of its own; here any folder will do.
    code = tmp_path_factory.mktemp("code")
    (code / "handler.py").write_text("")
    bundle = Bundle(code, "0" * 64)
    app = App(outdir=str(folder))
    StepfastStack(app, "plain", plan=plan, bundle=bundle)
    StepfastStack(app, "second", plan=plan, bundle=bundle)
    StepfastStack(
        app,
        "full",
        plan=replace(plan, project=_everything_on(plan.project)),
        bundle=bundle,
        options=Options(starts=(ScheduledStart("nightly", "print", "cron(0 3 * * ? *)", "report", "Europe/Berlin"),)),
        env=HOME,
    )
    networked = replace(plan, project=replace(plan.project, vpc="vpc-0123456789abcdef0"))
    StepfastStack(app, "networked", plan=networked, bundle=bundle, env=HOME)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
    names = ("plain", "second", "full", "networked")
    return Synthesized(folder, {one: json.loads((folder / f"{one}.template.json").read_text()) for one in names})


def _everything_on(project: Project) -> Project:
    return replace(
        project,
        auth="iam",
        tracing=True,
        snap_start=True,
        domain_name="flows.example.com",
        certificate="arn:aws:acm:eu-central-1:111122223333:certificate/0000",
    )


def resources(template: Template, kind: str) -> dict[str, Any]:
    """The properties of all resources of a type, by logical id."""
    found = template["Resources"].items()
    return {name: one.get("Properties", {}) for name, one in found if one["Type"] == kind}


def only(template: Template, kind: str, beginning: str = "") -> Any:
    """The properties of the one resource of a type, whose logical id begins so."""
    found = [one for name, one in resources(template, kind).items() if name.startswith(beginning)]
    assert len(found) == 1, f"{len(found)} of {kind} {beginning}"
    return found[0]
