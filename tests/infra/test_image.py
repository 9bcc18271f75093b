"""`packaging = "image"`: what stands in the template, what the image's folder holds, and that its contents run.

No image is built here, which needs a docker engine. The Dockerfile only copies, and these tests copy as it says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.errors import StartupError
from stepfast.infra import bundle, image, lock
from stepfast.infra.bundle import Bundle, Source
from stepfast.infra.options import Options, check
from stepfast.infra.target import Target, architecture_here
from tests.e2e.runtime_api import sandbox
from tests.infra.conftest import PROJECT, Synthesized, Template, resources
from tests.infra.reading import named, roles

ROOT = Path(__file__).parents[2]
HERE = Target(
    architecture_here(),
    f"{sys.version_info.major}.{sys.version_info.minor}",
)

# -- the template


def functions(template: Template) -> dict[str, Any]:
    return resources(template, "AWS::Lambda::Function")


def test_every_function_runs_one_image_with_a_handler_of_its_own(
    own: dict[str, Template], synthesized: Synthesized
) -> None:
    packed, plain = functions(own["packed"]), functions(synthesized.plain)
    assert packed.keys() == plain.keys()
    assert len({json.dumps(function["Code"]) for function in packed.values()}) == 1
    for id, function in packed.items():
        assert function["PackageType"] == "Image"
        assert function["ImageConfig"] == {"Command": [plain[id]["Handler"]]}
        assert not {"Handler", "Runtime"} & function.keys()


def test_packed_as_an_image_a_function_has_the_same_settings_and_permissions(
    own: dict[str, Template], synthesized: Synthesized
) -> None:
    packed, plain = functions(own["packed"]), functions(synthesized.plain)
    assert roles(own["packed"]) == roles(synthesized.plain)
    for id, function in packed.items():
        for name in ("Architectures", "MemorySize", "Timeout", "Description"):
            assert function[name] == plain[id][name]
        variables, before = function["Environment"]["Variables"], plain[id]["Environment"]["Variables"]
        assert {**variables, "POWERTOOLS_METRICS_NAMESPACE": "stepfast/plain"} == before
        assert named(function["Role"]) == named(plain[id]["Role"])


def test_the_deployment_builds_one_image_for_the_architecture_of_the_functions(own: dict[str, Template]) -> None:
    (asset,) = own["assets"]["dockerImages"].values()
    assert asset["source"]["platform"] == "linux/arm64"
    assert not [file for file in own["assets"]["files"].values() if file["source"].get("packaging") == "zip"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"packaging": "image", "snap_start": True}, 'snap_start and packaging = "image" exclude each other'),
        ({"image_base": "python-with-poppler:1"}, 'set packaging = "image" as well'),
    ],
)
def test_settings_that_do_not_go_together_are_refused(plan: Plan, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(StartupError, match=message):
        check(replace(plan, project=replace(plan.project, **settings)), Options())


@pytest.mark.parametrize("base", ["", "a b", "python\nRUN curl", "-python"])
def test_a_base_that_is_no_name_of_an_image_is_refused(base: str) -> None:
    with pytest.raises(StartupError, match="image_base is the name of an image"):
        Project.of({"packaging": "image", "image_base": base})


# -- the folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with a file of its own for one function and the hashes that stepfast ships."""
    copy = tmp_path_factory.mktemp("project") / "shop"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "constraints.txt").write_text(lock.shipped())
    (copy / "functions").mkdir()
    (copy / "functions/api.py").write_text("from stepfast.functions.api import handler\n")
    return copy


@pytest.fixture(scope="module")
def built(project: Path, cache: Path) -> Bundle:
    return image.build(Source(project, include=["functions"]), HERE, cache)


@pytest.mark.slow
def test_the_same_project_gives_the_same_folder_anywhere(
    built: Bundle, project: Path, cache: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "another place" / "shop"
    shutil.copytree(project, elsewhere)
    assert image.build(Source(elsewhere, include=["functions"]), HERE, cache) == built
    assert {path.name for path in built.folder.iterdir()} == {"Dockerfile", "requirements.txt", "packages", "code"}


@pytest.mark.slow
def test_every_package_of_the_image_is_in_its_requirements_with_a_hash(built: Bundle) -> None:
    pinned = lock.hashes_of((built.folder / "requirements.txt").read_text())
    installed = Bundle(built.folder / "packages", "").packages
    names = {name.lower().replace("_", "-"): version for name, version in installed.items()}
    assert names
    assert {name: version for name, version in pinned if name in names} == names
    assert all(digest.startswith("sha256:") for hashes in pinned.values() for digest in hashes)


@pytest.mark.slow
def test_a_package_whose_files_have_other_hashes_is_refused(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(project, copy)
    text = (copy / "constraints.txt").read_text()
    (copy / "constraints.txt").write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", text))
    with pytest.raises(StartupError, match="installing the packages of the bundle failed(.|\n)*[Hh]ash"):
        image.build(Source(copy), HERE, tmp_path / "cache")


@pytest.mark.slow
def test_an_image_begins_with_awss_base_for_the_python_of_the_functions(built: Bundle) -> None:
    assert instructions(built.folder)[0] == ("FROM", f"public.ecr.aws/lambda/python:{HERE.python}")


def test_an_image_may_begin_with_another() -> None:
    assert "\nFROM python-with-poppler:1\n" in image.dockerfile("python-with-poppler:1")


@pytest.mark.slow
def test_more_than_an_image_takes_is_refused(project: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MAX_BYTES", 2 * bundle.MB)
    with pytest.raises(StartupError, match=r"has \d+ MB, of which Lambda takes 2: .* largest parts are botocore \d+"):
        image.build(Source(project), HERE, cache)


# -- the contents, as Lambda runs them


def instructions(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "Dockerfile").read_text().splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line and not line.startswith("#")]


def assembled(folder: Path, root: Path) -> tuple[Path, list[str]]:
    """The folder of the function's code as the Dockerfile makes it, and its command."""
    task, command = root / "var/task", []
    task.mkdir(parents=True)
    for name, rest in instructions(folder)[1:]:
        if name == "CMD":
            command = json.loads(rest)
            continue
        assert name == "COPY", f"only copied, so that nothing runs at the build: {name} {rest}"
        source, target = rest.split()
        assert target == "${LAMBDA_TASK_ROOT}/"
        if (folder / source).is_dir():
            shutil.copytree(folder / source, task, dirs_exist_ok=True, copy_function=os.link)
        else:
            shutil.copy(folder / source, task)
    return task, command


def runtime_client(folder: Path) -> Path:
    """awslambdaric and what it needs, without the other packages of this environment: AWS's base image has no more."""
    for name in ("awslambdaric", "simplejson", "snapshot_restore_py"):
        for file in distribution(name.replace("_", "-")).files or ():
            if ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), folder / file)
    return folder


ENVIRONMENT = {
    "STEPFAST_TABLE": "table",
    "STEPFAST_BUCKET": "bucket",
    "STEPFAST_QUEUES": '{"default": "https://sqs.eu-central-1.example/1/default"}',
    "STEPFAST_TIMER_QUEUE": "https://sqs.eu-central-1.example/1/timers",
    "STEPFAST_PARK_QUEUE": "https://sqs.eu-central-1.example/1/park",
    "STEPFAST_SCHEDULES": "group",
    "STEPFAST_SCHEDULE_ROLE": "arn:aws:iam::111122223333:role/schedules",
    "STEPFAST_AUTH": "keys",
}


@pytest.mark.slow
def test_the_contents_of_the_image_answer_under_lambdas_runtime_client(built: Bundle, tmp_path: Path) -> None:
    task, (command,) = assembled(built.folder, tmp_path)
    assert (task / f"{command.removesuffix('.handler').replace('.', '/')}.py").is_file()
    runtime = runtime_client(tmp_path / "runtime")
    text = (ROOT / "events/api-start.json").read_text().replace("/order-fulfilment/", "/print/")
    asked = {**json.loads(text), "body": json.dumps({"input": {"no": "name"}})}  # refused before the table is asked
    # The project has a file of its own for this function, as its template says.
    with sandbox(task, "functions.api.handler", ENVIRONMENT, Path(sys.executable), runtime) as sandboxed:
        kind, answer = sandboxed.call(asked)
    assert (kind, answer["statusCode"]) == ("response", 422)
    assert json.loads(answer["body"])["errors"][0]["field"] == "input", "its workflow was imported"
