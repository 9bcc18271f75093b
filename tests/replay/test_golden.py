"""Executions recorded once are replayed alike by this version, on every supported Python."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay import golden
from tests.replay.golden_workflows import WORKFLOWS

NAMES = sorted(WORKFLOWS)


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_history_replays_as_recorded(name: str) -> None:
    found = golden.differences(name)
    assert not found, "\n".join([*found, golden.ADVICE])


@pytest.mark.parametrize("name", NAMES)
def test_recording_it_again_makes_the_same_history(name: str) -> None:
    assert golden.recorded(name) == json.loads((golden.FOLDER / f"{name}.json").read_text())


def test_there_is_a_history_for_every_golden_workflow_and_no_other() -> None:
    assert sorted(path.stem for path in golden.FOLDER.glob("*.json")) == NAMES


def test_the_histories_are_of_all_sorts() -> None:
    histories = [json.loads(path.read_text()) for path in golden.FOLDER.glob("*.json")]
    kinds = {record["kind"] for one in histories for record in one["records"]}
    assert kinds == {"step", "timer", "signal"}
    assert {one["facts"]["error"] is None for one in histories} == {True, False}
    assert sum(len(one["applied"]) for one in histories) > 30
    assert all(one["facts"]["finished"] for one in histories)


def test_a_change_of_an_id_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = json.loads((golden.FOLDER / "race.json").read_text())
    text = json.dumps(history).replace('"fetch#2"', '"fetch.two"')
    (tmp_path / "race.json").write_text(text)
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    found = "\n".join(golden.differences("race"))
    assert "golden history 'race': after 0 results it waited for ['fetch', 'fetch.two', 'fetch#3']" in found
    assert "python -m tests.replay.golden --write" in golden.ADVICE


def test_the_command_of_the_advice_compares_and_says_so() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.replay.golden"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "all golden histories replay as recorded\n"), ran.stderr
