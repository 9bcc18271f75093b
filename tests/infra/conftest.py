"""One synth for all tests of the stack: it takes seconds, whatever is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack, Stage, Validations
from aws_cdk import aws_secretsmanager as secrets
from cdk_nag import AwsSolutionsChecks

from stepfast.deployment.plan import Plan
from stepfast.deployment.project import InboundSettings, LimitSettings, PageSignOn, Project, SignOnSettings
from stepfast.infra.assets import add_parameter, synthesizer_of
from stepfast.infra.bundle import Bundle
from stepfast.infra.constructs.front_door import Throttle
from stepfast.infra.constructs.schedules import ScheduledStart
from stepfast.infra.deployment import DeploymentConstruct
from stepfast.infra.preparing import workflows_of
from stepfast.infra.stack import Options, StepfastStack
from stepfast.infra.target import Target
from stepfast.language.registry import Registry
from tests.infra.own_stack import Shop

PROJECT = Path(__file__).with_name("project")
HOME = Environment(account="111122223333", region="eu-central-1")
RESTORED = "arn:aws:dynamodb:eu-central-1:111122223333:table/restored"
KMS_KEY = "arn:aws:kms:eu-central-1:111122223333:key/0000-1111"
LAYER = "arn:aws:lambda:eu-central-1:111122223333:layer:telemetry:3"
STREAM = f"{RESTORED}/stream/2026-11-22T00:00:00.000"
INBOUND = {
    "shop": InboundSettings("print", "SHOP", aws_secret="shop/webhook"),
    "pay": InboundSettings("print", None, "stripe", aws_secret="ssm:/pay/webhook"),
    "here": InboundSettings("print", "HERE"),
}
ISSUER = "https://login.example.com"
PAGE_SIGN_ON = PageSignOn(ISSUER, "the-page")
SIGN_ON = SignOnSettings(ISSUER, "stepfast", {"operators": ("read", "run")}, page=PAGE_SIGN_ON)
Template = dict[str, Any]


@dataclass(frozen=True)
class Synthesized:
    """The templates by stack, and where they are."""

    folder: Path
    templates: dict[str, Template] = field(repr=False)
    tuned: Plan = field(repr=False)

    @property
    def plain(self) -> Template:
        return self.templates["plain"]

    @property
    def full(self) -> Template:
        return self.templates["full"]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return workflows_of(PROJECT, Project.read(PROJECT / "pyproject.toml"))


@pytest.fixture(scope="session")
def plan(registry: Registry) -> Plan:
    return Plan.of(registry, Project.read(PROJECT / "pyproject.toml"))


@pytest.fixture(scope="session")
def synthesized(registry: Registry, plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """`plain` as the project's settings have it, `second` the same again, with a step that may read a secret, `full`
    with everything switched on.

    `networked` runs in a VPC, of which the CDK makes up what it would have looked up, and `tuned` with other
    numbers on another architecture, on a table and a bucket that were there before. `encrypted` has a KMS key, and
    `by-alias` has its alias, a table of data keys that was there before, an event bus, and webhooks of others.
    """
    folder = tmp_path_factory.mktemp("cdk")
    # What functions are made of has tests of its own; here any folder will do.
    code = tmp_path_factory.mktemp("code")
    (code / "handler.py").write_text("")
    bundle = Bundle(code, "0" * 64)
    app = App(outdir=str(folder))
    StepfastStack(app, "plain", plan=plan, bundle=bundle)
    second = StepfastStack(app, "second", plan=plan, bundle=bundle)
    secrets.Secret.from_secret_name_v2(second, "Token", "shop/token").grant_read(second.functions["step-pdf"].role)
    StepfastStack(
        app,
        "full",
        plan=Plan.of(registry, _everything_on(plan.project)),
        bundle=bundle,
        options=Options(starts=(ScheduledStart("nightly", "print", "cron(0 3 * * ? *)", "report", "Europe/Berlin"),)),
        env=HOME,
    )
    networked = replace(plan, project=replace(plan.project, vpc="vpc-0123456789abcdef0"))
    StepfastStack(app, "networked", plan=networked, bundle=bundle, env=HOME)
    options = Options(target=Target("x86_64", "3.12"), throttle=Throttle(rate=5, burst=10))
    tuned = Plan.of(registry, _tuned(plan.project))
    StepfastStack(app, "tuned", plan=tuned, bundle=bundle, options=options)
    encrypted = replace(plan, project=replace(plan.project, kms_key=KMS_KEY, encrypt_new=False))
    StepfastStack(app, "encrypted", plan=encrypted, bundle=bundle)
    aliased = replace(
        plan.project, kms_key="alias/flows", key_table="keys-of-before", event_bus="orders", inbound=INBOUND
    )
    by_alias = Plan.of(registry, aliased)
    StepfastStack(app, "by-alias", plan=by_alias, bundle=bundle)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
    names = ("plain", "second", "full", "networked", "tuned", "encrypted", "by-alias")
    templates = {name: json.loads((folder / f"{name}.template.json").read_text()) for name in names}
    return Synthesized(folder, templates, tuned)


@pytest.fixture(scope="session")
def terraform_assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="session")
def own(plan: Plan, terraform_assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """Stacks in which deployments are constructs: a team's, one around a deployment named Default, one of an image.

    `terraform` takes the bucket of its code as a parameter.
    """
    folder, code, image = terraform_assembly, tmp_path_factory.mktemp("code"), tmp_path_factory.mktemp("image")
    (code / "handler.py").write_text("")
    (image / "Dockerfile").write_text("FROM scratch")
    bundle = Bundle(code, "0" * 64)
    app = App(outdir=str(folder))
    Shop(app, "shop", plan, bundle)
    moved = Stack(Stage(app, "prod", env=HOME), "moved", stack_name="plain")
    DeploymentConstruct(moved, "Default", plan=plan, bundle=bundle)
    packed = replace(plan, project=replace(plan.project, packaging="image"))
    StepfastStack(app, "packed", plan=packed, bundle=Bundle(image, "1" * 64))
    add_parameter(StepfastStack(app, "terraform", plan=plan, bundle=bundle, synthesizer=synthesizer_of("parameter")))
    app.synth()
    names = ("shop", "packed", "terraform")
    templates = {name: json.loads((folder / f"{name}.template.json").read_text()) for name in names}
    templates["moved"] = json.loads(next(folder.glob("assembly-prod/*.template.json")).read_text())
    manifest = json.loads((folder / "packed.assets.json").read_text())
    return {**templates, "assets": manifest}


def _everything_on(project: Project) -> Project:
    return replace(
        project,
        auth="iam",
        tracing=True,
        opentelemetry=True,
        opentelemetry_layer=LAYER,
        snap_start=True,
        log_values=True,
        domain_name="flows.example.com",
        certificate="arn:aws:acm:eu-central-1:111122223333:certificate/0000",
        schedules={"paused": ScheduledStart("paused", "print", "rate(6 hours)", "list", enabled=False)},
    )


def _tuned(project: Project) -> Project:
    return replace(
        project,
        pools={**project.pools, "pdf": replace(project.pools["pdf"], provisioned=2, batch_size=5, timeout=600)},
        workflows="src/flows",
        listing_shards=4,
        sweep_minutes=10,
        parallelization=4,
        authorizer_cache=60,
        auth="jwt",
        jwt=SIGN_ON,
        max_child_depth=8,
        public_url="https://links.example.com",
        max_signals=500,
        audit_days=30,
        audit_all=True,
        max_signal_bytes=1_000_000,
        memory=1024,
        table_stream=STREAM,
        bucket="values-of-before",
        limits={"printer": LimitSettings(rate=5.0)},
    )


def resources(template: Template, kind: str) -> dict[str, Any]:
    """The properties of all resources of a type, by logical id."""
    items = template["Resources"].items()
    return {name: resource.get("Properties", {}) for name, resource in items if resource["Type"] == kind}


def only(template: Template, kind: str, beginning: str = "") -> Any:
    """The properties of the one resource of a type, whose logical id begins so."""
    matching = [resource for name, resource in resources(template, kind).items() if name.startswith(beginning)]
    assert len(matching) == 1, f"{len(matching)} of {kind} {beginning}"
    return matching[0]
