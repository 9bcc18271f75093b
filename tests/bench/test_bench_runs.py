"""The bench still runs and produces every figure; how large they are is not a test's business."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from bench.bed import ROOT
from bench.figures import QUICK, figures
from bench.pool_steps import Work
from bench.pools import measure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_quick_run_produces_every_figure_and_both_plots(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (kept,) = tmp_path.glob("*.json")
    shown = json.loads(kept.read_text())["figures"]
    assert [figure["title"] for figure in shown][: len(figures(QUICK))] == [figure.title for figure in figures(QUICK)]
    assert {figure["title"]: figure["median"] for figure in shown if not math.isfinite(figure["median"])} == {}
    # How a figure grows may be anything where each is measured once on a busy machine.
    assert {
        figure["title"]: figure["median"]
        for figure in shown
        if figure["median"] <= 0 and " grows " not in figure["title"]
    } == {}
    assert all(figure["title"] in done.stdout for figure in shown)
    assert {path.name for path in tmp_path.glob("*.png")} == {"performance-sequence.png", "performance-gather.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.glob("*.png"))


@pytest.mark.parametrize("processes", [0, 1])
def test_steps_that_compute_are_measured_in_threads_and_in_processes(processes: int) -> None:
    assert measure(processes, Work(steps=4, turns=10)) > 0
