"""The map of the code is true: each file and name in it exists, and no package, layer or status is left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import get_args

import pytest

from stepfast.model import CommandStatus, ExecutionStatus

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "stepfast"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [ARCHITECTURE, GLOSSARY, ROOT / "docs" / "protocol.md", ROOT / "CONTRIBUTING.md"]
FEWEST = 80
"""Paths that architecture.md names at least: fewer means that they are written in a way which this test cannot read."""

CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"(?P<path>[\w.-]+(?:/[\w.-]*)*)(?:::(?P<name>[\w.]+))?")
FILES = {".py", ".md", ".toml", ".ts", ".tsx", ".txt", ".json", ".yaml"}
LINK = re.compile(r"\]\(([^)#:]+)\)")
MADE = ".venv"
"""What a build makes, so that a clone does not have it."""


def spans(text: str) -> Iterator[str]:
    """The words in a text's spans of code, without its blocks of code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for span in CODE.findall(text):
        yield from span.split()


def named(text: str) -> list[tuple[str, str | None]]:
    """The paths in a text's spans of code, each with the name in that file which `path::name` gives."""
    paths = []
    for word in spans(text):
        match = PATH.fullmatch(word)
        if match is None or word.startswith(MADE):
            continue
        path = match["path"]
        if "/" in path or Path(path).suffix in FILES or match["name"] is not None:
            paths.append((path, match["name"]))
    return paths


def located(path: str) -> Path | None:
    """Where a path of a page is: below src/stepfast, else below the repository; None where there is no such file."""
    return next((folder / path for folder in (SOURCE, ROOT) if (folder / path).exists()), None)


def binds(statement: ast.stmt, name: str) -> bool:
    """Whether a statement of a module or of a class defines this function, class, constant or attribute."""
    match statement:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return statement.name == name
        case ast.Assign(targets=targets):
            nodes = [node for target in targets for node in ast.walk(target)]
            return any(isinstance(node, ast.Name) and node.id == name for node in nodes)
        case ast.AnnAssign(target=ast.Name(id=target)):
            return target == name
        case _:
            return False


def defines(file: Path, name: str) -> bool:
    """Whether a file defines a name; in a module also that of a member of a class: `Worker.handle`."""
    text = file.read_text(encoding="utf-8")
    if file.suffix in {".ts", ".tsx"}:
        return re.search(rf"^(export )?(const|function|type|interface|class) {name}\b", text, re.MULTILINE) is not None
    if file.suffix != ".py":
        return False
    body: list[ast.stmt] = ast.parse(text).body
    *outer, last = name.split(".")
    for part in outer:
        definition = next((node for node in body if isinstance(node, ast.ClassDef) and node.name == part), None)
        if definition is None:
            return False
        body = definition.body
    return any(binds(statement, last) for statement in body)


def undefined(text: str) -> list[str]:
    """The `path::name` of a text whose file is there and does not define the name."""
    missing = []
    for path, name in named(text):
        file = located(path)
        if name is not None and file is not None and not (file.is_file() and defines(file, name)):
            missing.append(f"{path}::{name}")
    return missing


def strays(text: str) -> list[str]:
    """Names without a path in rows of tables that name files, where none of these files defines the name."""
    missing = []
    for row in re.findall(r"^\|.*\|$", text, flags=re.MULTILINE):
        files = [file for path, _ in named(row) if (file := located(path)) is not None and file.is_file()]
        names = [word for word in spans(row) if re.fullmatch(r"[A-Za-z_]\w*(\.[a-zA-Z_]\w*)?", word)]
        missing += [
            name for name in names if files and not (located(name) or any(defines(file, name) for file in files))
        ]
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    missing = sorted({path for path, _ in named(page.read_text(encoding="utf-8")) if located(path) is None})
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [
        target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_is_in_its_file(page: Path) -> None:
    assert undefined(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "model.py::ENDED_FOR_BAD",
        "engine/worker.py::Worker.handles",
        "engine/worker.py::Workers.handle",
        "engine/ports.py::Commit.waked",
        "backends/sqlite/schema.py::VERSION",
        "dashboard/src/api/types.ts::ExecutionState",
        "engine::Worker",
        "docs/glossary.md::worker",
    ],
)
def test_a_wrong_name_is_noticed(wrong: str) -> None:
    assert undefined(f"| change | begin in `{wrong}` |") == [wrong]


@pytest.mark.parametrize(
    "right",
    [
        "model.py::ENDED",
        "model.py::ExecutionStatus",
        "functions/metering.py::STARTED",
        "engine/ports.py::Commit.wake",
        "engine/worker.py::Worker.handle",
        "clients/typescript/src/shapes.ts::ExecutionStatus",
    ],
)
def test_a_right_name_is_known(right: str) -> None:
    assert undefined(f"see `{right}`") == []


def test_every_name_beside_a_path_is_in_a_file_of_its_row() -> None:
    assert strays(ARCHITECTURE.read_text(encoding="utf-8")) == []


def test_a_wrong_name_beside_a_path_is_noticed() -> None:
    assert strays("| a table | `backends/sqlite/schema.py` with `STEPS` and `VERSION` |") == ["VERSION"]


def test_the_map_names_enough_paths_to_be_one() -> None:
    assert len({path for path, _ in named(ARCHITECTURE.read_text(encoding="utf-8"))}) >= FEWEST


def test_every_package_has_its_line() -> None:
    lines = set(re.findall(r"^\| `(\w+)` \|", ARCHITECTURE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    packages = {file.parent.name for file in SOURCE.glob("*/__init__.py")}
    assert packages
    assert packages <= lines


def test_the_drawing_has_the_layers_of_the_linter() -> None:
    """In the same order: the drawing may add words to a line, behind its names."""
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:layers"]["layers"].split("\n")
    wanted = [re.findall(r"\w+", layer) for layer in layers if layer]
    drawing = re.search(r"^```text\n(.*?)^```$", ARCHITECTURE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert drawing is not None
    lines = [re.findall(r"\w+", re.split(r"\s{3,}", line.strip())[0]) for line in drawing[1].split("\n")]
    assert [names for names in lines if names] == wanted


def test_every_module_beside_the_packages_has_its_line() -> None:
    lines = set(re.findall(r"^\| `(\w+\.py)` \|", ARCHITECTURE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {file.name for file in SOURCE.glob("*.py")} - {"__init__.py"} == lines


def test_the_glossary_has_every_status() -> None:
    rows = re.findall(r"^\| ([A-Z]+) \|", GLOSSARY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(rows) == sorted([*get_args(ExecutionStatus), *get_args(CommandStatus)])


def test_the_glossary_defines_a_word_once() -> None:
    words = re.findall(r"^\| ([^|]+) \|", GLOSSARY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    terms = [word for word in words if not re.fullmatch(r"[A-Z]+|word|status|-+", word)]
    assert len(terms) == len(set(terms)) >= 60
