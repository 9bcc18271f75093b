"""The demo is a promise of the README: it holds, and it notices when something is not so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demo.parts import ROOT, Broken, ensure, until

pytestmark = pytest.mark.slow


def test_the_whole_story_is_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", str(tmp_path / "left")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("All of it was so.")
    assert len(list((tmp_path / "left" / "mail").glob("*.eml"))) == 3
    assert len(list((tmp_path / "left" / "reports").glob("*.pdf"))) == 3


def test_what_is_not_so_ends_the_story() -> None:
    with pytest.raises(Broken, match="otherwise"):
        ensure([], "otherwise")
    with pytest.raises(Broken, match="in vain: nothing"):
        until("nothing", lambda: None, 0.01)
