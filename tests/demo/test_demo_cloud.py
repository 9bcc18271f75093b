"""`make demo-cloud` tells its story on a played AWS: it holds, and it notices when something is not so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.parts import ROOT

pytestmark = pytest.mark.slow


def told(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo.cloud", str(folder / "left")],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_whole_story_is_so(tmp_path: Path) -> None:
    done = told(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.rstrip().splitlines()[-1]
    seconds = re.fullmatch(r"(\d+) s\. Everything above was checked\.", last)
    assert seconds is not None, last
    assert "50 requests: 1 started it, 49 were given what there was" in done.stdout
    assert re.search(r"sf_[0-9a-f]{16}", done.stdout) is None  # the key is not shown
    assert len(list((tmp_path / "left" / "mail").glob("*.eml"))) == 2
    assert len(list((tmp_path / "left" / "reports").glob("*.pdf"))) == 2


def test_what_is_not_so_ends_the_story(tmp_path: Path) -> None:
    (tmp_path / "moto.py").write_text("raise ModuleNotFoundError(\"No module named 'moto'\", name='moto')\n")
    done = told(tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "Not so: stepfast-dev did not start" in done.stderr
    assert "stepfast[cloud-testing]" in (tmp_path / "left" / "stepfast-dev.log").read_text()
