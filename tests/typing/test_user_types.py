"""What mypy --strict makes of a user's workflow file, run as a user runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
FILE = Path(__file__).with_name("user_workflows.py")
LINES = FILE.read_text().splitlines()


def expected(mark: str) -> dict[int, str]:
    """Line number and what its comment says, for comments that begin with this mark."""
    found = {}
    for number, line in enumerate(LINES, 1):
        if mark in line and not line.startswith('"""'):
            found[number] = line.rpartition(mark)[2].strip()
    return found


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[str]]:
    """mypy's messages by line. The file is copied out of the repository, whose settings are not a user's."""
    folder = tmp_path_factory.mktemp("user")
    (folder / FILE.name).write_text(FILE.read_text())
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--enable-error-code=unused-coroutine", FILE.name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    messages: dict[int, list[str]] = {}
    for line in ran.stdout.splitlines():
        if match := re.match(rf"{FILE.name}:(\d+): (?:error|note): (.*)", line):
            messages.setdefault(int(match[1]), []).append(match[2])
    assert messages, ran.stdout
    return messages


@pytest.mark.parametrize(("line", "kind"), expected("# ->").items())
def test_the_type_is_inferred(said: dict[int, list[str]], line: int, kind: str) -> None:
    assert f'Revealed type is "{kind}"' in [_plain(one) for one in said.get(line, [])]


@pytest.mark.parametrize(("line", "part"), expected("# error:").items())
def test_the_mistake_is_found(said: dict[int, list[str]], line: int, part: str) -> None:
    assert any(part in one for one in said.get(line, [])), said.get(line)


def test_nothing_else_is_complained_of(said: dict[int, list[str]]) -> None:
    marked = expected("# ->").keys() | expected("# error:").keys()
    assert {line: one for line, one in said.items() if line not in marked} == {}


def _plain(message: str) -> str:
    """Without the marks that differ between versions of mypy."""
    return re.sub(r"\bbuiltins\.|\btyping\.|\*|\?", "", message)
