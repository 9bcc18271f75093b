"""A project's `functions/` folder: one short file per Lambda, deployed and invoked in place of stepfast's own."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stepfast.cli.scaffold import FILES
from stepfast.deployment.own_functions import KINDS, own_functions
from stepfast.deployment.plan import Plan
from stepfast.deployment.settings import DAY_SECONDS, Settings
from stepfast.errors import StartupError
from stepfast.functions.entry import EntryPoint
from stepfast.language.registry import Registry
from tests.functions.sources import EVENTS

ROOT = EVENTS.parent


def project(folder: Path, **files: str) -> Path:
    (folder / "functions").mkdir()
    (folder / "workflows").mkdir()
    for kind, text in files.items():
        (folder / "functions" / f"{kind}.py").write_text(text)
    return folder


def test_this_repository_has_a_file_for_each_function_that_hands_on_its_handler() -> None:
    assert own_functions(ROOT) == set(KINDS)
    for kind in KINDS:
        module = importlib.import_module(f"functions.{kind}")
        assert isinstance(module.handler, EntryPoint)
        assert module.handler is importlib.import_module(f"stepfast.functions.{kind}").handler


def test_the_plan_uses_a_projects_file_where_there_is_one() -> None:
    plan = Plan.of(Registry([]), own=["api", "step"])
    assert plan.functions["api"].handler == "functions.api.handler"
    assert plan.pools["default"].function.handler == "functions.step.handler"
    assert plan.functions["timer"].handler == "stepfast.functions.timer.handler"


@pytest.mark.parametrize(
    "text",
    [
        "from stepfast.functions.api import handler",
        "from stepfast.functions import api\nhandler = api.handler",
        "def handler(event, context):\n    return {}",
        "async def other(): ...\nhandler: object = print",
        "try:\n    from mine import handler\nexcept ImportError:\n    from stepfast.functions.api import handler",
        "if True:\n    first, handler = 1, print",
    ],
)
def test_every_way_to_define_a_handler_is_seen(tmp_path: Path, text: str) -> None:
    assert own_functions(project(tmp_path, api=text)) == {"api"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "defines no `handler`.*from stepfast.functions.api import handler"),
        ("def f():\n    handler = 1", "defines no `handler`"),
        ("def handler(", "is not Python"),
    ],
)
def test_a_file_that_lambda_could_not_call_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StartupError, match=said):
        own_functions(project(tmp_path, api=text))


def test_other_modules_in_the_folder_are_the_projects_own_affair(tmp_path: Path) -> None:
    assert own_functions(project(tmp_path, shared="x = 1")) == set()


def test_settings_come_back_from_the_environment_that_they_make() -> None:
    settings = Settings(
        "table",
        "bucket",
        {"default": "https://queue"},
        "https://timers",
        "https://park",
        "group",
        "arn:role",
        workflows=str(ROOT / "workflows"),
        retention=7 * DAY_SECONDS,
        listing_shards=3,
        pool="default",
        auth="iam",
        log_values=True,
        region="eu-central-1",
    )
    assert Settings.from_environment(settings.to_environment()) == settings
    kept = replace(settings, retention=None)
    assert Settings.from_environment(kept.to_environment()) == kept


def invoke(folder: Path, kind: str, event: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("stepfast")), "invoke", kind, str(EVENTS / event)]
    return subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_invoke_runs_the_projects_file_and_prints_the_answer_alone(tmp_path: Path) -> None:
    text = (
        "from stepfast.functions.api import handler as inner\n"
        "print('set up')\n"
        "def handler(event, context):\n"
        "    answer = inner(event, context)\n"
        "    return {**answer, 'headers': {**answer['headers'], 'x-mine': '1'}}\n"
    )
    done = invoke(project(tmp_path, api=text), "api", "api-health.json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["statusCode"], answer["headers"]["x-mine"]) == (0, 200, "1"), done.stderr
    assert "set up" in done.stderr


@pytest.mark.slow
def test_invoke_says_which_file_cannot_be_imported(tmp_path: Path) -> None:
    done = invoke(project(tmp_path, api="import nowhere\nhandler = nowhere.handler"), "api", "api-health.json")
    assert done.returncode == 2
    assert "functions/api.py cannot be imported (ModuleNotFoundError: No module named 'nowhere')" in done.stderr


@pytest.fixture
def new_project(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_new_project_has_a_file_and_a_sample_for_each_function(new_project: Path) -> None:
    assert own_functions(new_project) == set(KINDS)
    assert {path.stem.partition("-")[0] for path in (new_project / "events").glob("*.json")} == set(KINDS)
    for kind in KINDS:
        assert (new_project / "functions" / f"{kind}.py").read_text() == (ROOT / "functions" / f"{kind}.py").read_text()


ANSWERS: dict[str, tuple[str, ...]] = {
    "authorizer": ("isAuthorized",),
    "advancer": ("batchItemFailures",),
    "step": ("batchItemFailures",),
    "timer": ("batchItemFailures",),
    "resume": ("batchItemFailures",),
    "sweeper": ("rounds", "complete"),
}


@pytest.mark.slow
def test_the_samples_of_a_new_project_are_handled(new_project: Path) -> None:
    for kind, answer in ANSWERS.items():
        done = invoke(new_project, kind, new_project / f"events/{kind}.json")
        assert (done.returncode, tuple(json.loads(done.stdout or "{}"))) == (0, answer), (kind, done.stderr)
    started = json.loads(invoke(new_project, "api", new_project / "events/api-start.json").stdout)
    assert (started["statusCode"], json.loads(started["body"])["execution_id"]) == (201, "hello-1")
