"""The packages of a bundle: the project's dependencies, and those of stepfast in Lambda."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from stepfast.errors import StartupError

# Only the command line and the embedded server need these.
NOT_IN_LAMBDA = frozenset({"rich", "typer", "uvicorn"})
EXTRAS_OF_FUNCTIONS = frozenset({"agents", "encryption", "opentelemetry", "sign-on", "tracing"})
"""The extras of stepfast that workflows may import from. The others are for commands and tests, or to deploy."""
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_NAMED_EXTRAS = re.compile(r"\s*[A-Za-z0-9._-]+\s*\[([^\]]*)\]")
_OF_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def of_project(folder: Path, extras: Sequence[str] = ()) -> list[str]:
    """The dependencies in the folder's pyproject.toml, with those of the named extras, without stepfast itself.

    A dependency on `stepfast[agents]` gives what the extra brings.
    """
    project = _project_table(folder)
    optional = project.get("optional-dependencies", {})
    unknown = sorted(set(extras) - set(optional))
    if unknown:
        known = ", ".join(sorted(optional)) or "none"
        raise StartupError(f"{folder / 'pyproject.toml'} has no extra {unknown[0]!r}; there are: {known}")
    own = [] if project.get("name") == "stepfast" else project.get("dependencies", ())
    asked = [*own, *(line for extra in extras for line in optional[extra])]
    named = {extra for line in asked if name_of(line) == "stepfast" for extra in _extras_in(line)}
    brought = of_extras(named & EXTRAS_OF_FUNCTIONS)
    # The bundle gets the stepfast that synthesizes the stack, not a version from an index.
    return [*(line for line in asked if name_of(line) not in ("stepfast", project.get("name"))), *brought]


def extras_of(folder: Path) -> list[str]:
    """The extras in the folder's pyproject.toml that workflows may need: all except those to develop and to deploy."""
    return [name for name in _project_table(folder).get("optional-dependencies", {}) if name not in ("dev", "deploy")]


def clean_environment() -> dict[str, str]:
    """The environment without PYTHONPATH and VIRTUAL_ENV, which must not change what is resolved for Lambda."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def of_stepfast(
    tracing: bool = False, opentelemetry: bool = False, encryption: bool = False, sign_on: bool = False
) -> list[str]:
    """The packages that stepfast itself needs in Lambda, from its installed metadata."""
    chosen = {"aws": True, "tracing": tracing, "opentelemetry": opentelemetry, "encryption": encryption}
    chosen["sign-on"] = sign_on
    extras = {extra for extra, wanted in chosen.items() if wanted}
    lines = _wanted(distribution("stepfast").requires or (), extras)
    return [line for line in lines if name_of(line) != "stepfast"]


def of_extras(extras: set[str]) -> list[str]:
    """The packages that these extras of the installed stepfast bring."""
    lines = [line for line in distribution("stepfast").requires or () if _OF_EXTRA.search(line)]
    return [line for line in _wanted(lines, extras) if name_of(line) != "stepfast"]


def _extras_in(requirement: str) -> list[str]:
    """The extras that a requirement line names, normalized."""
    named = _NAMED_EXTRAS.match(requirement)
    return [name_of(extra) for extra in named.group(1).split(",")] if named else []


def _wanted(requires: Iterable[str], extras: set[str]) -> Iterable[str]:
    for line in requires:
        extra = _OF_EXTRA.search(line)
        if extra and extra.group(1) not in extras:
            continue
        if not extra and name_of(line) in NOT_IN_LAMBDA:
            continue
        yield line.partition(";")[0].strip() if extra else line


def name_of(requirement: str) -> str:
    """The normalized name in a requirement line; "" if it has none."""
    match = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", match.group(1)).lower() if match else ""


def _project_table(folder: Path) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartupError(f"{path} cannot be read: {error}") from error
    if not isinstance(table, dict):
        raise StartupError(f"{path}: [project] is a table")
    return table
