"""`stepfast dev` runs changed code once that loads, and goes on with the old code until then."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from stepfast.local.reloading import Reloader, State, check_in_process, state_of
from tests.local.dev_process import Dev
from tests.waiting import until

CODE = """
from stepfast import step, workflow
from helping import NUMBER

@workflow("simple")
async def simple() -> int:
    return NUMBER
"""


class Code:
    """Files whose state a test sets, and what keeps them from loading."""

    def __init__(self) -> None:
        self.state: State = {Path("a.py"): (1, 1)}
        self.wrong: str | None = None
        self.checks = self.stops = 0
        self.reloader = Reloader(self.stop, lambda: self.state, self.check)

    def stop(self) -> None:
        self.stops += 1

    def check(self) -> str | None:
        self.checks += 1
        return self.wrong

    def write(self, moment: int, path: str = "a.py") -> None:
        self.state = {**self.state, Path(path): (moment, 1)}

    def turns(self, count: int) -> bool:
        for _ in range(count):
            self.reloader.turn()
        return self.reloader.wanted.is_set()


def test_nothing_happens_while_the_code_stays() -> None:
    code = Code()
    assert not code.turns(5)
    assert code.checks == 0


@pytest.mark.parametrize("path", ["a.py", "new.py"])
def test_a_change_reloads_once_the_writing_has_ended(path: str) -> None:
    code = Code()
    code.write(2, path)
    assert not code.turns(1)
    code.write(3, path)
    assert not code.turns(1), "it was still being written"
    assert code.checks == 0
    assert code.turns(1)
    assert code.stops == 1


def test_a_deleted_file_is_a_change() -> None:
    code = Code()
    code.state = {}
    assert code.turns(2)


def test_code_that_does_not_load_is_told_and_checked_again_only_when_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = Code()
    code.write(2)
    code.wrong = "a.py, line 1: invalid syntax"
    assert not code.turns(5)
    assert (code.checks, code.stops) == (1, 0)
    assert "the code from before goes on: a.py, line 1: invalid syntax" in caplog.text
    code.write(3)
    code.wrong = None
    assert code.turns(2)


def test_code_that_changes_while_it_is_checked_is_checked_again() -> None:
    code = Code()
    code.write(2)
    original = code.check

    def check() -> str | None:
        if code.checks == 0:
            code.write(3)
        return original()

    code.reloader._check = check
    assert not code.turns(2)
    assert code.turns(2)
    assert code.checks == 2


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "workflows" / "inner").mkdir(parents=True)
    (tmp_path / "workflows" / "made.py").write_text(CODE)
    (tmp_path / "helping.py").write_text("NUMBER = 1\n")
    yield tmp_path
    sys.modules.pop("helping_of_test", None)


def test_the_files_are_the_folders_the_imported_ones_and_the_settings(project: Path) -> None:
    (project / "workflows" / "inner" / "more.py").touch()
    (project / "workflows" / ".venv").mkdir()
    (project / "workflows" / ".venv" / "library.py").touch()
    (project / "other.py").touch()
    (project / "pyproject.toml").touch()
    module = ModuleType("helping_of_test")
    module.__file__ = str(project / "helping.py")
    sys.modules["helping_of_test"] = module
    watched = {str(path.relative_to(project)) for path in state_of(project / "workflows", project)}
    assert watched == {"workflows/made.py", "workflows/inner/more.py", "helping.py", "pyproject.toml"}


@pytest.mark.slow
def test_a_check_says_in_a_line_what_is_wrong(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert check_in_process(project / "workflows") is None
    (project / "pyproject.toml").write_text("[tool.stepfast]\nmemory = 'much'\n")
    assert "memory" in (check_in_process(project / "workflows") or "")
    (project / "workflows" / "made.py").write_text("def (\n")
    wrong = check_in_process(project / "workflows")
    assert wrong is not None
    assert "made.py, line 1: invalid syntax" in wrong


@pytest.mark.slow
def test_a_server_runs_changed_code_at_the_same_address_and_in_the_same_process(project: Path) -> None:
    dev = Dev(project).start()
    try:
        assert dev.process is not None
        dev.run("simple", id="before")
        until(lambda: dev.show("before")["status"] == "SUCCEEDED")
        (project / "helping.py").write_text("NUMBER = 'broken\n")
        (project / "helping.py").write_text("NUMBER = 20 + 2\n")
        assert dev.process.stdout is not None
        assert dev.process.stdout.readline() == dev.ready
        dev.run("simple", id="after")
        until(lambda: dev.show("after")["status"] == "SUCCEEDED")
        assert (dev.show("before")["result"], dev.show("after")["result"]) == (1, 22)
    finally:
        status, errors = dev.end(signal.SIGTERM)
        dev.http.close()
    assert status == 0
    assert "helping.py" in errors
    assert "Traceback" not in errors
