"""constraints.txt of a project: every package of its bundles by exact version and hash. `python -m stepfast.infra.lock`
makes it anew, in the current folder or the one named.

A bundle then holds what was looked at when the file was made, and not what an index offers on the day of a deployment.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from stepfast.errors import StartupError
from stepfast.infra import requirements

NAME = "constraints.txt"
PYTHON = "3.11"
"""The oldest Python that stepfast supports: versions resolved for it and all newer ones also fit Lambda's."""
COMMAND = "python -m stepfast.infra.lock"
HEADER = (
    "# What the Lambda bundles of this project hold, by version and hash. After a change of its dependencies, and to\n"
    f"# take newer versions: pip install 'stepfast[deploy]', then {COMMAND}\n"
)
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=([a-z0-9]+:[0-9a-f]+)")


def locked(folder: Path, patience: float = 120.0) -> str:
    """The file's text, resolved now. Raises StartupError without uv or an index, or if dependencies conflict.

    patience: seconds that resolving may take.
    """
    asked = [
        *requirements.of_stepfast(True, True, True),
        *requirements.of_project(folder, requirements.extras_of(folder)),
    ]
    command = ["pip", "compile", "-", "--universal", "--python-version", PYTHON, "--generate-hashes"]
    quiet = ["--no-header", "--no-annotate", "--quiet", "--no-emit-package", "stepfast"]
    return HEADER + uv([*command, *quiet], folder, "\n".join(asked), patience)


def shipped() -> str:
    """The text shipped with this version of stepfast: enough for a project without dependencies of its own."""
    return HEADER + (files("stepfast.infra") / "constraints.txt").read_text(encoding="utf-8")


def hashes_of(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """The hashes in a constraints file, by normalized name and version; empty if it has none."""
    hashes: dict[tuple[str, str], tuple[str, ...]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        pinned = _PINNED.match(line.strip())
        if pinned and (digests := tuple(_HASH.findall(line))):
            key = (requirements.name_of(pinned[1]), pinned[2])
            hashes[key] = (*hashes.get(key, ()), *digests)
    return hashes


def with_hashes(pinned: str, constraints: str) -> str:
    """Pinned requirements with their hashes from a constraints file. Raises StartupError if one has no hash there."""
    known = hashes_of(constraints)
    lines = []
    for line in pinned.splitlines():
        pin = _PINNED.match(line.strip())
        if pin is None:
            lines.append(line)
            continue
        hashes = known.get((requirements.name_of(pin[1]), pin[2]))
        if not hashes:
            raise StartupError(f"{NAME} has no hash for {pin[1]} {pin[2]}, which a bundle needs: run {COMMAND}")
        lines.append(" ".join([line.strip(), *(f"--hash={digest}" for digest in hashes)]))
    return "\n".join(lines) + "\n"


def uv_bin() -> str:
    """The path of uv: the extra's, or this machine's. Raises StartupError if there is none."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        path = shutil.which("uv")
        if path is None:
            raise StartupError("building a bundle needs uv: pip install 'stepfast[deploy]'") from error
        return path


def uv(arguments: Sequence[str], folder: Path, text: str, patience: float | None = None) -> str:
    """Runs uv with this text on standard input and returns its output. Raises StartupError with uv's message."""
    action = "resolving" if "compile" in arguments else "installing"
    try:
        done = subprocess.run(
            [uv_bin(), *arguments],
            cwd=folder,
            input=text,
            env=requirements.clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=patience,
        )
    except subprocess.TimeoutExpired as error:
        raise StartupError(
            f"{action} the packages of the bundle took longer than {patience:g} s: is the index away?"
        ) from error
    if done.returncode:
        raise StartupError(f"{action} the packages of the bundle failed:\n{done.stderr.strip()}")
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    folder = Path(arguments[0]) if arguments else Path()
    try:
        text = locked(folder)
        (folder / NAME).write_text(text, encoding="utf-8")
    except (StartupError, OSError) as error:
        print(f"stepfast: {error}", file=sys.stderr)
        return 2
    print(f"{folder / NAME}: {len(hashes_of(text))} packages with their hashes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
