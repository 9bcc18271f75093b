"""Compiles the Python files of a bundle, so that no cold start has to: Lambda's code folder cannot be written to.

The files are compiled by a Python of the target's version on this machine, because bytecode is of one version. Where
no such Python is installed, a bundle has sources only. A bundle's digest does not depend on its bytecode, so that
machines with and without such a Python agree about it.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from stepfast.infra import lock

FOLDER = "__pycache__"
_TASK = "/var/task"
"""Where Lambda has the code: tracebacks name files by it, and not by where they were compiled."""


def add(folder: Path, python: str, bundle: Path | None = None) -> bool:
    """Compiles all files of a folder for a version such as "3.13"; False where this machine has no such Python.

    bundle: the whole bundle, where the folder is a part of it.
    The bytecode is used without a look at its source ("unchecked-hash"): a bundle never changes.
    """
    program = program_of(python)
    if program is None:
        return False
    checked = ("--invalidation-mode", "unchecked-hash")
    subprocess.run(
        [program, "-m", "compileall", "-q", "-f", *checked, "-s", str(bundle or folder), "-p", _TASK, str(folder)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        check=False,  # a file that is no valid Python, as a template, is left out
    )
    return True


def remove(folder: Path) -> None:
    """Leaves the sources only."""
    for compiled in list(folder.rglob(FOLDER)):
        shutil.rmtree(compiled)


@functools.cache
def program_of(python: str) -> str | None:
    """A Python of this version that is there already: nothing is downloaded."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    search = subprocess.run(
        [lock.uv_bin(), "python", "find", python, "--no-python-downloads"], capture_output=True, text=True, check=False
    )
    program = search.stdout.strip() if search.returncode == 0 else ""
    return program or _of_pyenv(python)


def _of_pyenv(python: str) -> str | None:
    """The newest Python of this version that pyenv has installed. uv finds only the one that is switched on."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    programs = [path for path in versions.glob(f"{python}.*/bin/python{python}") if path.is_file()]
    newest = max(programs, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parts[-3])], default=None)
    return None if newest is None else str(newest)
