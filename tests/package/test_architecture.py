"""The map of the code is true: each file, function and package that it names is there, and no package is left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "stepfast"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = [ARCHITECTURE, ROOT / "CONTRIBUTING.md"]
FEWEST = 30
"""Paths that architecture.md names at least: fewer means that they are written in a way which this test cannot read."""

CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"(?P<path>[\w.-]+(?:/[\w.-]*)*)(?:::(?P<name>[\w.]+))?")
FILES = {".py", ".md", ".toml", ".ts", ".tsx", ".txt", ".json", ".yaml"}
LINK = re.compile(r"\]\(([^)#:]+)\)")
MADE = ".venv"
"""What a build makes, so that a clone does not have it."""


def named(page: Path) -> list[tuple[str, str | None]]:
    """The paths in a page's spans of code, each with the name in that file which `path::name` gives."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = []
    for span in CODE.findall(text):
        for word in span.split():
            match = PATH.fullmatch(word)
            if match is None or word.startswith(MADE):
                continue
            path = match["path"]
            if "/" in path or Path(path).suffix in FILES:
                found.append((path, match["name"]))
    return found


def located(path: str) -> Path | None:
    """Where a path of a page is: below src/stepfast, else below the repository; None where there is no such file."""
    return next((one / path for one in (SOURCE, ROOT) if (one / path).exists()), None)


def defines(file: Path, name: str) -> bool:
    """Whether a module defines a function or a class, or a class in it a method: `Worker.handle`."""
    body: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
    for part in name.split("."):
        found = next(
            (
                one
                for one in body
                if isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and one.name == part
            ),
            None,
        )
        if found is None:
            return False
        body = found.body
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    missing = sorted({path for path, _ in named(page) if located(path) is None})
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [
        target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_function_and_class_that_is_named_is_in_its_file(page: Path) -> None:
    missing = []
    for path, name in named(page):
        file = located(path)
        if name is not None and file is not None and not defines(file, name):
            missing.append(f"{path}::{name}")
    assert not missing


def test_the_map_names_enough_paths_to_be_one() -> None:
    assert len({path for path, _ in named(ARCHITECTURE)}) >= FEWEST


def test_every_package_has_its_line() -> None:
    lines = set(re.findall(r"^\| `(\w+)` \|", ARCHITECTURE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    packages = {one.parent.name for one in SOURCE.glob("*/__init__.py")}
    assert packages
    assert packages <= lines
