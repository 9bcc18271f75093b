"""The wheel and the sdist: what is in them, that equal files give equal archives, and what the docs say of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from trove_classifiers import classifiers

from stepfast.cli import doctor_packages

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSTALLING = (ROOT / "docs/installing.md").read_text()
BUILT_OF = ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "src")
PAGE = {"index.html": "<!doctype html>", "assets/app-1.js": "1"}
"""What stands for the page: `make dashboard` writes files of these kinds, and git ignores them."""


def copied(folder: Path, *, changed_at: int, mode: int) -> Path:
    """What a distribution is built of, with these times and modes of its files, and a page."""
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "dashboard")
    for name in BUILT_OF:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    for name, text in PAGE.items():
        path = folder / "src/stepfast/dashboard" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
            os.utime(path, (changed_at, changed_at))
    return folder


def build(source: Path, target: Path, *kinds: str) -> dict[str, bytes]:
    """The archives by their names, built by the hatchling of this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    for kind in kinds:
        command += ["-t", kind]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in target.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist in `dist`."""
    folder = tmp_path_factory.mktemp("distribution")
    build(copied(folder / "first", changed_at=1_700_000_000, mode=0o644), folder / "dist", "wheel", "sdist")
    return folder


def test_equal_files_give_equal_archives(built: Path, tmp_path: Path) -> None:
    again = copied(tmp_path / "elsewhere", changed_at=1_795_000_000, mode=0o600)
    archives = {path.name: path.read_bytes() for path in (built / "dist").iterdir()}
    assert sorted(archives) == ["stepfast-0.1.0-py3-none-any.whl", "stepfast-0.1.0.tar.gz"]
    assert build(again, tmp_path / "dist", "wheel", "sdist") == archives


def test_the_wheel_of_the_sdist_is_the_wheel(built: Path, tmp_path: Path) -> None:
    with tarfile.open(built / "dist/stepfast-0.1.0.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (wheel,) = build(tmp_path / "stepfast-0.1.0", tmp_path / "dist", "wheel").values()
    assert wheel == (built / "dist/stepfast-0.1.0-py3-none-any.whl").read_bytes()


def test_the_wheel_gives_the_library_the_command_and_the_page(built: Path) -> None:
    with zipfile.ZipFile(built / "dist/stepfast-0.1.0-py3-none-any.whl") as archive:
        names = set(archive.namelist())
        entry_points = archive.read("stepfast-0.1.0.dist-info/entry_points.txt").decode()
        metadata = Parser().parsestr(archive.read("stepfast-0.1.0.dist-info/METADATA").decode())
    package = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "dashboard" not in path.parts
    }
    page = {f"stepfast/dashboard/{name}" for name in PAGE}
    assert {name for name in names if ".dist-info/" not in name} == package | page
    assert "stepfast/py.typed" in names
    assert "stepfast-0.1.0.dist-info/licenses/LICENSE" in names
    assert "stepfast = stepfast.cli:main" in entry_points
    assert "stepfast = pytest_stepfast" in entry_points
    assert sorted(metadata.get_all("Provides-Extra", [])) == sorted(PROJECT["optional-dependencies"])
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_classifiers_exist_and_name_the_pythons_that_doctor_calls_tested() -> None:
    assert not [name for name in PROJECT["classifiers"] if name not in classifiers]
    pythons = re.findall(r"Python :: 3\.(\d+)", "\n".join(PROJECT["classifiers"]))
    assert [(3, int(minor)) for minor in (pythons[0], pythons[-1])] == [*doctor_packages.TESTED]


def test_the_docs_name_every_extra_and_its_packages() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", INSTALLING, re.MULTILINE))
    pages = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    extras = {name: needed for name, needed in PROJECT["optional-dependencies"].items() if name != "dev"}
    assert sorted(rows) == [*rows]
    assert {*rows} <= {*extras}
    assert not [name for name in extras if name not in rows and f"stepfast[{name}]" not in pages]
    for name in rows:
        for requirement in extras[name]:
            package = re.split(r"[\[><=]", requirement)[0]
            assert package == "stepfast" or f"`{package}`" in rows[name], (name, package)


def test_the_page_on_installing_shows_every_check_of_doctor() -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", INSTALLING, re.DOTALL)
    checks = [line[6:17].strip() for line in shown.splitlines()]
    source = "".join(path.read_text() for path in (ROOT / "src/stepfast/cli").glob("doctor*.py"))
    assert {*checks} == {*re.findall(r'Finding\("([a-z ]+)"', source)}
    assert len(checks) == len({*checks})


def test_the_command_line_starts_without_the_engine_sqlite_or_boto3() -> None:
    program = (
        "import sys, stepfast.cli.app\n"
        "heavy = {'sqlite3', 'uvicorn', 'boto3', 'aws_lambda_powertools', 'stepfast.engine.operations'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_pages_name_the_oldest_release_of_what_stepfast_is_integrated_with() -> None:
    """And a command runs it: `make agents` and `make integrations` read pyproject.toml."""
    commands = "".join((ROOT / ".ci" / name).read_text() for name in ("agents", "integrations"))
    pages = {
        "pydantic-ai-slim": ("agents.md", "pydantic-ai from {} up to"),
        "openai-agents": ("agents.md", "`openai-agents` from {} up to"),
        "langgraph": ("agents.md", "`langgraph` from {} up to"),
        "mcp": ("mcp.md", "`mcp` from {} up to"),
        "opentelemetry-api": ("opentelemetry.md", "`opentelemetry-api` alone, from {} up to"),
        "fastapi": ("library.md", "FastAPI from {} up to"),
    }
    required = "\n".join(line for lines in PROJECT["optional-dependencies"].values() for line in lines)
    for package, (page, sentence) in pages.items():
        (oldest,) = {*re.findall(rf"^{package}>=([0-9.]+),", required, re.MULTILINE)}
        assert sentence.format(oldest) in (ROOT / "docs" / page).read_text(), package
        assert package in commands
