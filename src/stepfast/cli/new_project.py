"""`stepfast init`: a new project of one workflow and one test, which runs here and deploys to AWS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.scaffold import FILES, TEMPLATES
from stepfast.errors import Refused, StartupError

CONSTRAINTS = "constraints.txt"
RESOLVE_SECONDS = 20.0
"""Seconds to resolve the newest versions; then the shipped constraints are used."""


def init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Made when missing.")] = Path(),
) -> None:
    """Make a new project: one workflow with its test, functions, events, pinned packages; overwrites nothing."""
    # It is also the stack's name, and CloudFormation wants a letter first.
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).lstrip("-0123456789").rstrip("-") or "workflows"
    texts = {path: text.format(name=name) if path in TEMPLATES else text for path, text in FILES.items()}
    _check_free(folder, [*texts, CONSTRAINTS])
    try:
        for path, text in texts.items():
            _write(folder / path, text)
        pinned, note = _constraints(folder)
        _write(folder / CONSTRAINTS, pinned)
    except OSError as error:
        raise Refused(f"cannot write to {folder}: {error.strerror or error}") from error
    printing.say(f"made {folder / 'workflows/hello.py'} and its test; begin with: cd {folder} && stepfast dev")
    if note:
        printing.hint(note)


def _check_free(folder: Path, paths: list[str]) -> None:
    """Raises Refused for an existing file, and for a symbolic link, whose target is outside the project."""
    for path in paths:
        for place in (folder / path, *(folder / parent for parent in Path(path).parents if parent != Path())):
            if place.is_symlink():
                raise Refused(f"{place} is a link: choose a new folder, or move it away")
        if (folder / path).exists():
            raise Refused(f"{folder / path} exists already: choose a new folder, or move it away")


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Mode "x" creates the file itself: it never follows a link, not even one made after the check.
    with target.open("x", encoding="utf-8") as file:
        file.write(text)


def _constraints(folder: Path) -> tuple[str, str]:
    """The newest versions with hashes, or those that this stepfast was tested with; and a hint for the user, or ""."""
    from stepfast.infra import lock

    try:
        return lock.locked(folder, patience=RESOLVE_SECONDS), ""
    except StartupError:
        advice = f"for the newest, with uv and an index at hand: {lock.COMMAND}"
        return lock.shipped(), f"{CONSTRAINTS} has the versions that this stepfast was tested with; {advice}"
