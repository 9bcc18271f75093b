"""What functions are made of: the same from the same, for any architecture, and only what runs."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import stepfast
from stepfast.deployment import schedule_file
from stepfast.deployment.schedule_file import starts_in
from stepfast.deployment.schedules import ScheduledStart
from stepfast.errors import StartupError
from stepfast.http.page import BUILT
from stepfast.infra import bundle, bytecode, requirements, service_models
from stepfast.infra.bundle import Bundle, Source, build, digest_of
from stepfast.infra.target import Target
from tests.infra.conftest import PROJECT

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # resolves and fetches packages


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a dependency of its own that is compiled, within this repository's constraints."""
    copy = tmp_path_factory.mktemp("project") / "shop"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / "pyproject.toml").read_text()
    (copy / "pyproject.toml").write_text(text.replace('["stepfast"]', '["stepfast[aws]", "charset-normalizer>=3"]'))
    shutil.copyfile(ROOT / "constraints.txt", copy / "constraints.txt")
    (copy / "workflows/tests").mkdir()
    (copy / "workflows/tests/test_printing.py").write_text("")
    (copy / "workflows/__pycache__").mkdir(exist_ok=True)
    (copy / "workflows/__pycache__/old.cpython-313.pyc").write_text("")
    return copy


@pytest.fixture(scope="session")
def arm(project: Path, cache: Path) -> Bundle:
    return build(Source(project), Target("arm64"), cache)


def test_the_same_project_gives_the_same_bundle_anywhere(
    arm: Bundle, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "another place" / "shop"
    shutil.copytree(project, elsewhere, ignore=shutil.ignore_patterns("__pycache__"))
    for path in elsewhere.rglob("*.py"):
        os.utime(path, (0, 1_000_000_000))
    before = os.umask(0o077)
    try:
        again = build(Source(elsewhere), Target("arm64"), tmp_path / "cache")
    finally:
        os.umask(before)
    assert again.digest == arm.digest
    assert digest_of(again.folder) == digest_of(arm.folder)
    assert _zipped(again.folder, tmp_path / "again.zip") == _zipped(arm.folder, tmp_path / "first.zip")


def _zipped(folder: Path, to: Path) -> list[tuple[str, int, int]]:
    """Names, checksums and modes, as they are in what is uploaded."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(to, "w") as archive:
        for path in files:
            archive.write(path, path.relative_to(folder))
        return [(member.filename, member.CRC, member.external_attr) for member in archive.infolist()]


def test_a_changed_step_gives_another_bundle(arm: Bundle, project: Path, cache: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(project, copy)
    (copy / "workflows/printing.py").write_text((copy / "workflows/printing.py").read_text() + "\n")
    assert build(Source(copy), Target("arm64"), cache).digest != arm.digest


def test_both_architectures_hold_the_same_packages_at_the_same_versions(
    arm: Bundle, project: Path, cache: Path
) -> None:
    intel = build(Source(project), Target("x86_64"), cache)
    assert intel.packages == arm.packages
    assert intel.digest != arm.digest
    assert _machines(arm.folder) == {"aarch64"}
    assert _machines(intel.folder) == {"x86_64"}


def _machines(folder: Path) -> set[str]:
    """The processors that compiled files are for, from their ELF headers."""
    names = {0xB7: "aarch64", 0x3E: "x86_64"}
    return {names[path.read_bytes()[18]] for path in folder.rglob("*.so*") if path.is_file()}


def test_versions_are_those_of_the_projects_constraints(arm: Bundle) -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    normal = {name.lower().replace("-", "_"): version for name, version in pinned.items()}
    for name, version in arm.packages.items():
        if name != "stepfast":
            assert version == normal[name.lower().replace("-", "_")], name


def test_it_holds_what_runs_and_nothing_else(arm: Bundle) -> None:
    names = {path.name for path in arm.folder.iterdir()}
    assert {"workflows", "stepfast", "pydantic", "boto3", "aws_lambda_powertools", "charset_normalizer"} <= names
    assert not names & {"typer", "rich", "uvicorn", "pytest", "moto", "aws_cdk", "aws_xray_sdk", "bin", "tests"}
    ours = arm.folder / "stepfast"
    assert not {"cli", "local", "simulator", "testing", "infra"} & {path.name for path in ours.iterdir()}
    assert not (ours / "integrations/mcp").exists()
    assert [path for path in arm.folder.rglob("*") if path.name in ("RECORD", "tests", "old.cpython-313.pyc")] == []
    assert (arm.folder / "workflows/printing.py").is_file()


def test_it_holds_whatever_workflow_code_imports(arm: Bundle) -> None:
    homes = {home.replace(".", "/") for home in stepfast._HOMES.values()} - {"local/embedded"}
    homes |= {"integrations/pydantic_ai"}
    ours = arm.folder / "stepfast"
    assert {home for home in homes if not (ours / f"{home}.py").is_file() and not (ours / home).is_dir()} == set()


def test_it_holds_the_page_as_far_as_it_is_built(arm: Bundle) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert files(arm.folder / "stepfast/dashboard") == files(BUILT)


def test_x_ray_comes_with_tracing_only(project: Path, cache: Path) -> None:
    traced = build(Source(project, tracing=True), Target("arm64"), cache)
    assert "aws_xray_sdk" in traced.packages


@pytest.mark.parametrize(
    ("asked", "brought"),
    [
        ("stepfast[agents]", {"pydantic-ai-slim"}),
        ("stepfast[ Agents , opentelemetry ]>=0.1; python_version > '3'", {"pydantic-ai-slim", "opentelemetry-api"}),
        ("stepfast[tracing]", {"aws-xray-sdk", "boto3"}),
        ("stepfast[aws,cloud-testing,deploy,mcp]", set()),
        ("stepfast", set()),
    ],
)
def test_extras_of_stepfast_that_workflows_import_are_brought(asked: str, brought: set[str], tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "shop"\ndependencies = ["idna", "{asked}"]\n')
    found = requirements.of_project(tmp_path)
    assert {requirements.name_of(line) for line in found} == {"idna", *brought}
    assert all("extra" not in line for line in found)


def test_what_is_included_is_in_it_and_its_tests_are_not(project: Path, cache: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(project, copy)
    for path in ("lib/money.py", "lib/tests/test_money.py", "lib/.env", "data/rates.csv", "data/other.csv"):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text("1")
    made = build(Source(copy, include=["lib", "data/rates.csv"]), Target("arm64"), cache).folder
    files = {str(path.relative_to(made)) for name in ("lib", "data") for path in (made / name).rglob("*")}
    sources = {file for file in files if bytecode.FOLDER not in file}
    assert sources == {"lib/money.py", "data/rates.csv"}


def test_a_folder_that_is_not_there_is_named(project: Path, cache: Path) -> None:
    with pytest.raises(StartupError, match="lib is not there, but is to be deployed"):
        build(Source(project, include=["lib"]), Target("arm64"), cache)


def test_more_than_lambda_takes_is_said_before_it_is_uploaded(
    project: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "MAX_UNPACKED_BYTES", 2 * bundle.MB)
    with pytest.raises(
        StartupError, match=r"has \d+ MB, of which Lambda takes 2: .* largest parts are pydantic_core \d+"
    ):
        build(Source(project), Target("arm64"), cache)


def test_an_unknown_extra_is_named_with_those_there_are(cache: Path) -> None:
    with pytest.raises(StartupError, match=r"no extra 'exmaples'; there are: .*examples"):
        build(Source(ROOT, extras=["exmaples"]), Target("arm64"), cache)


def test_a_version_that_does_not_exist_is_said_by_uv(project: Path, cache: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(project, copy)
    (copy / "pyproject.toml").write_text('[project]\nname = "shop"\ndependencies = ["idna<1"]\n')
    with pytest.raises(StartupError, match=r"resolving the packages of the bundle failed(.|\n)*idna"):
        build(Source(copy), Target("arm64"), cache)


def test_the_runtime_imports_nothing_that_the_bundle_lacks(arm: Bundle) -> None:
    known = (
        {path.stem for path in arm.folder.iterdir()} | set(sys.stdlib_module_names) | {"opentelemetry", "cryptography"}
    )
    ours = arm.folder / "stepfast"
    # Those of agents come with the agents of a project, which names them among its own packages.
    files = {*ours.rglob("*.py")} - {*(ours / "integrations/pydantic_ai").rglob("*.py")}
    asked = {name for path in files for name in _imports(path)}
    # The packages of X-Ray, OpenTelemetry and encryption are there when switched on, and asked for only then.
    assert asked - known == set()


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_the_api_finds_the_schedules_in_it(project: Path, cache: Path) -> None:
    berlin = ScheduledStart("nightly", "shop", "cron(0 3 * * ? *)", {"a": 1}, timezone="Europe/Berlin", overlap="skip")
    token = ScheduledStart("later", "shop", "rate(1 hour)", "${Token[TOKEN.12]}")
    made = build(Source(project, starts=(berlin, token)), Target("arm64"), cache)
    assert starts_in(str(made.folder)) == [berlin]


def test_without_schedules_it_has_no_file_of_them(arm: Bundle) -> None:
    assert not (arm.folder / schedule_file.NAME).exists()
    assert starts_in(str(arm.folder)) == []


def test_a_bundle_for_a_python_that_is_here_has_bytecode_which_needs_no_source(tmp_path: Path) -> None:
    folder, python = tmp_path / "task", f"{sys.version_info.major}.{sys.version_info.minor}"
    folder.mkdir()
    (folder / "compiled.py").write_text("PLACE = __file__\nANSWER = 42\n")
    before = digest_of(folder)
    assert bytecode.add(folder, python)
    assert digest_of(folder) == before
    [compiled] = folder.rglob("*.pyc")
    assert str(tmp_path).encode() not in compiled.read_bytes()  # the same wherever it was made
    # It is used without a look at the source: a cold start neither compiles nor compares.
    (folder / "compiled.py").write_text("ANSWER = 0\n")
    program = "import compiled; print(compiled.ANSWER, compiled.PLACE)"
    said = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["42", str(folder / "compiled.py")]
    bytecode.remove(folder)
    assert [path.name for path in folder.rglob("*")] == ["compiled.py"]


def test_where_that_python_is_missing_a_bundle_has_sources_only(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("ANSWER = 42\n")
    assert not bytecode.add(tmp_path, "3.99")
    assert [path.name for path in tmp_path.rglob("*")] == ["one.py"]


# -- the models of services --------------------------------------------------------------------------------


def folder_with_models(folder: Path, **sources: str) -> Path:
    for service in ("dynamodb", "sqs", "sts", "ec2", "rekognition"):
        for place in ("botocore", "boto3"):
            (folder / place / "data" / service).mkdir(parents=True)
    (folder / "botocore/data/endpoints.json").write_text("{}")
    (folder / "boto3/session.py").write_text("import botocore")
    for name, source in sources.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(source)
    (folder / "prices.txt").write_text("what the project includes beside its workflows")
    return folder


def models(folder: Path) -> set[str]:
    return {path.name for path in (folder / "botocore/data").iterdir() if path.is_dir()}


def test_models_of_services_that_nothing_calls_are_left_out(tmp_path: Path) -> None:
    folder = folder_with_models(tmp_path, workflows__shop="import httpx", httpx__client="import ssl")
    assert service_models.leave_out(folder, ("workflows",))
    assert models(folder) == {"dynamodb", "sqs", "sts"}
    assert {path.name for path in (folder / "boto3/data").iterdir()} == {"dynamodb", "sqs", "sts"}
    assert (folder / "botocore/data/endpoints.json").is_file()


@pytest.mark.parametrize(
    "sources",
    [
        {"workflows__shop": "import boto3"},
        {"workflows__deep__shop": "from botocore.session import Session"},
        {"workflows__shop": "from aws_lambda_powertools.utilities import parameters"},
        {"workflows__shop": "import other", "other": "import aiobotocore"},
        {"smart_open__s3": "def opened():\n    import boto3"},
        {"prices": "import boto3"},
        {"lib__money": "import botocore"},
    ],
    ids=str,
)
def test_they_stay_where_the_project_or_a_package_may_call_services(tmp_path: Path, sources: dict[str, str]) -> None:
    folder = folder_with_models(tmp_path, **sources)
    assert not service_models.leave_out(folder, ("workflows", "prices.txt", "prices.py", "lib"))
    assert models(folder) == {"dynamodb", "sqs", "sts", "ec2", "rekognition"}


@pytest.mark.parametrize(
    ("package", "stays"), [("import ssl", False), ("from aws_lambda_powertools.utilities import parser", True)], ids=str
)
def test_parts_of_powertools_stay_where_a_package_may_use_them(tmp_path: Path, package: str, stays: bool) -> None:
    folder = folder_with_models(tmp_path, workflows__shop="import httpx", httpx__client=package)
    for name in service_models.UNUSED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("") if name.endswith((".js", ".css")) else (folder / name).mkdir()
    assert service_models.leave_out(folder, ("workflows",))
    assert {(folder / name).exists() for name in service_models.UNUSED} == {stays}


def test_a_bundle_has_the_models_and_parts_that_the_functions_use(arm: Bundle) -> None:
    assert models(arm.folder) == service_models.CALLED
    kept = [name for name in service_models.UNUSED if (arm.folder / name).exists()]
    assert kept == []
    # Each part that is left out was there: a newer Powertools may have moved it.
    import aws_lambda_powertools

    packages = Path(aws_lambda_powertools.__file__).parents[1]
    assert [name for name in service_models.UNUSED if not (packages / name).exists()] == []


def test_a_python_of_pyenv_compiles_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("3.99.2", "3.99.10", "3.98.0"):
        program = tmp_path / "versions" / version / "bin" / f"python{version.rpartition('.')[0]}"
        program.parent.mkdir(parents=True)
        program.write_text("")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert bytecode._of_pyenv("3.99") == str(tmp_path / "versions/3.99.10/bin/python3.99")
    assert bytecode._of_pyenv("3.97") is None
