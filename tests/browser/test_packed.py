"""The built page goes wherever stepfast goes: into the wheel, and into what Lambda runs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stepfast.http.page import BUILT

ROOT = Path(__file__).parents[2]


def _page() -> set[str]:
    return {f"stepfast/dashboard/{path.relative_to(BUILT)}" for path in BUILT.rglob("*") if path.is_file()}


@pytest.mark.timeout(300)
def test_the_wheel_holds_the_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("stepfast-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("stepfast/dashboard/")}
    assert packed == _page()
    assert "stepfast/dashboard/index.html" in packed
