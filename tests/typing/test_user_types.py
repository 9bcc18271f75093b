"""What mypy --strict makes of a user's workflow file, run as a user runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
FILE = Path(__file__).with_name("user_workflows.py")
ROOT = Path(__file__).parents[2]


def test_types_are_inferred_and_mistakes_found_where_the_file_says_so(tmp_path: Path) -> None:
    """One test for the whole file, since mypy takes its time; it lists every line that is otherwise."""
    lines, said = FILE.read_text().splitlines(), checked(tmp_path)
    wrong = []
    for number, line in enumerate(lines, 1):
        messages = said.pop(number, [])
        _, inferred, kind = line.rpartition("# -> ")
        _, mistake, part = line.rpartition("# error: ")
        if inferred and f'Revealed type is "{kind}"' not in messages:
            wrong.append(f"line {number}: the type is not {kind}: {messages}")
        elif mistake and not any(part in one for one in messages):
            wrong.append(f"line {number}: the mistake is not found: {messages}")
        elif messages and not inferred and not mistake:
            wrong.append(f"line {number}: nothing is wrong here: {messages}")
    assert not wrong, "\n".join(wrong)


def checked(folder: Path) -> dict[int, list[str]]:
    """mypy's messages by line. The file is copied out of the repository, whose settings are not a user's."""
    (folder / FILE.name).write_text(FILE.read_text())
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache" / "user"), FILE.name]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    messages: dict[int, list[str]] = {}
    for line in ran.stdout.splitlines():
        if match := re.match(rf"{FILE.name}:(\d+): (?:error|note): (.*)", line):
            messages.setdefault(int(match[1]), []).append(_plain(match[2]))
    assert messages, ran.stdout
    return messages


def _plain(message: str) -> str:
    """Without the prefixes that differ between versions of mypy."""
    return re.sub(r"\b(builtins|typing|_?asyncio|asyncio\.tasks)\.", "", message)
