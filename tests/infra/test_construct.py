"""`Stepfast` in an app: the programs of docs/cdk.md, several projects at once, and settings as keywords."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from aws_cdk import App, Stack

from stepfast.errors import StartupError
from stepfast.infra import Stepfast, lock
from stepfast.infra.options import Options
from stepfast.infra.preparing import modules_of, prepare
from tests.infra.conftest import PROJECT, Synthesized, Template, resources

PAGE = (Path(__file__).parents[2] / "docs/cdk.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, re.DOTALL))
REPORTS = """
from stepfast import step, workflow

@step(pool="nightly")
def add(a: int, b: int) -> int:
    return a + b

@workflow("report")
async def report(a: int) -> int:
    return await add(a, a)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two projects whose folders of workflows have the same name, and a module of the same name in each."""
    made = tmp_path_factory.mktemp("app")
    for name in ("jobs", "reports"):
        shutil.copytree(PROJECT, made / name, ignore=shutil.ignore_patterns("__pycache__"))
        (made / name / "constraints.txt").write_text(lock.shipped())
    (made / "reports/workflows/printing.py").write_text(REPORTS)
    settings = '[project]\nname = "reports"\ndependencies = []\n[tool.stepfast]\nmemory = 256\n'
    pool = "[tool.stepfast.pools.nightly]\nmemory = 300\ntimeout = 400\nenvironment = { A = '1', B = '2' }\n"
    (made / "reports/pyproject.toml").write_text(settings + pool)
    return made


def program(name: str, folder: Path) -> ModuleType:
    (folder / f"documented_{name}.py").write_text(PROGRAMS[name], encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(f"documented_{name}")
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[dict[str, Template]]:
    """The templates of one app: the documented stack with `reports` beside it, and one that moved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        app = App(outdir=str(folder / "out"))
        shop = program("app", folder).Shop(app, "own")
        cache = folder / "jobs/.stepfast/bundles"
        settings = {"nightly": {"memory": 600, "environment": {"B": "3"}}}
        Stepfast(shop, "Reports", project=Path("reports"), cache=cache, memory=777, pools=settings)
        program("moving", folder).moved(app, "jobs")
        app.synth()
        yield {name: json.loads((folder / f"out/{name}.template.json").read_text()) for name in ("own", "shop")}
    for name in PROGRAMS:
        sys.modules.pop(f"documented_{name}", None)


def function(template: Template, beginning: str) -> dict[str, object]:
    (found_id,) = [id for id in resources(template, "AWS::Lambda::Function") if id.startswith(beginning)]
    properties: dict[str, object] = resources(template, "AWS::Lambda::Function")[found_id]
    return properties


@pytest.mark.slow
def test_the_documented_stack_gives_the_step_its_bucket_and_the_caller_the_api(app: dict[str, Template]) -> None:
    step = function(app["own"], "JobsStepDefault")
    assert step["MemorySize"] == 1024
    variables = json.dumps(step["Environment"])
    assert '"INVOICES": {"Ref": "Invoices' in variables
    policies = {
        id.partition("DefaultPolicy")[0]: policy for id, policy in resources(app["own"], "AWS::IAM::Policy").items()
    }
    assert "s3:PutObject" in json.dumps(policies["JobsStepDefaultRole"])
    caller = json.dumps(policies["Website"])
    assert "POST/v1/workflows/*/executions" in caller
    assert "GET/v1/executions/*" in caller
    assert "sqs:ReceiveMessage" in caller
    assert "/cancel" not in caller


@pytest.mark.slow
def test_projects_with_folders_of_one_name_are_told_apart(app: dict[str, Template]) -> None:
    pools = {id for id in resources(app["own"], "AWS::Lambda::Function") if "Step" in id}
    kinds = {re.sub(r"Function[0-9A-F]{8}$", "", id) for id in pools}
    assert kinds == {"JobsStepDefault", "JobsStepPdf", "ReportsStepDefault", "ReportsStepNightly"}
    keys = {
        id.partition("Api")[0]: code["Code"]["S3Key"]
        for id, code in resources(app["own"], "AWS::Lambda::Function").items()
        if "ApiFunction" in id
    }
    assert keys["Reports"] != keys["Jobs"]
    assert not [name for name in sys.modules if "documented" not in name and name.startswith("workflows.reports")]


@pytest.mark.slow
def test_keywords_replace_the_settings_of_the_file_one_by_one(app: dict[str, Template]) -> None:
    step = function(app["own"], "ReportsStepNightly")
    assert (step["MemorySize"], step["Timeout"]) == (600, 400)
    variables = step["Environment"]["Variables"]  # type: ignore[index]
    assert (variables["A"], variables["B"]) == ("1", "3")
    assert function(app["own"], "ReportsApi")["MemorySize"] == 777


@pytest.mark.slow
def test_a_deployment_that_moves_keeps_its_ids(app: dict[str, Template], synthesized: Synthesized) -> None:
    for kind in ("DynamoDB::Table", "S3::Bucket", "SQS::Queue", "Lambda::Function", "IAM::Role", "ApiGatewayV2::Api"):
        assert resources(app["shop"], f"AWS::{kind}").keys() == resources(synthesized.plain, f"AWS::{kind}").keys()


def test_a_wrong_keyword_is_named_with_its_construct() -> None:
    stack = Stack(App(), "own")
    with pytest.raises(StartupError, match=r"\[Stepfast 'Jobs'\] retention_days is a whole number .*, not -1"):
        Stepfast(stack, "Jobs", project=PROJECT, retention_days=-1)
    with pytest.raises(StartupError, match=r"\[Stepfast 'Jobs'\] has no setting 'retention'; it has: workflows, "):
        Stepfast(stack, "Jobs", project=PROJECT, retention=1)  # type: ignore[call-arg]
    with pytest.raises(StartupError, match=r"\[Stepfast 'Jobs'.pools.pdf\] memory is a whole number"):
        Stepfast(stack, "Jobs", project=PROJECT, pools={"pdf": {"memory": "1024"}})


def test_a_pool_that_no_step_names_is_refused_as_keyword_too(folder: Path) -> None:
    with pytest.raises(StartupError, match="for a pool that no step names; there are: default, nightly"):
        prepare(folder / "reports", Options(), settings={"pools": {"pdf": {"memory": 512}}}, cache=folder / "none")


def test_modules_of_a_project_are_gone_afterwards_and_those_of_the_app_are_back(folder: Path) -> None:
    other = ModuleType("workflows")
    other.__path__ = [str(folder / "jobs/workflows")]
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "workflows"}
    for name in before:
        del sys.modules[name]
    try:
        sys.modules["workflows"] = other
        path = list(sys.path)
        with modules_of(folder / "reports", "workflows"):
            sys.path.insert(0, str(folder / "reports"))
            printing = importlib.import_module("workflows.printing")
            assert printing.report.name == "report"
            assert sys.modules["workflows"] is not other
        assert sys.modules["workflows"] is other
        assert "workflows.printing" not in sys.modules
        assert sys.path == path
    finally:
        sys.modules.pop("workflows", None)
        sys.modules.update(before)
