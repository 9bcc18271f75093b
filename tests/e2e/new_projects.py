"""New projects for the emulator, as `stepfast init` makes them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.emulator import ROOT


def new_project(folder: Path) -> Path:
    """What `stepfast init` makes, with versions that were fetched before."""
    subprocess.run([Path(sys.executable).with_name("stepfast"), "init", str(folder)], check=True, capture_output=True)
    shutil.copyfile(ROOT / "constraints.txt", folder / "constraints.txt")
    (folder / ".stepfast").symlink_to(ROOT / ".stepfast")
    return folder
