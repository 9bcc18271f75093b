"""The database is its owner's alone, whatever the umask says and whoever made it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepfast import workflow
from tests.local.conftest import Embedded

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
FILES = ("dev.db", "dev.db-wal", "dev.db-shm", "dev.db.lock")


@workflow("echo")
async def echo(value: str) -> str:
    return value


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """From one that hides nothing to one that would not even let the owner write."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run(path: Path) -> dict[str, int]:
    """The modes of the files while a runtime has them open and has written."""
    made = Embedded(path, echo)
    made.run("echo", "x" * 100_000)
    modes = {name: mode(path.parent / name) for name in FILES}
    made.runtime.close()
    return modes


def test_a_new_folder_and_its_files_are_private(tmp_path: Path, umask: int) -> None:
    path = tmp_path / ".stepfast" / "dev.db"
    assert run(path) == dict.fromkeys(FILES, 0o600)
    assert mode(path.parent) == 0o700


def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path) -> None:
    path = tmp_path / ".stepfast" / "dev.db"
    run(path)
    for name in ("dev.db-wal", "dev.db-shm"):
        (path.parent / name).touch()
    for name in FILES:
        (path.parent / name).chmod(0o644)
    path.parent.chmod(0o755)
    assert run(path) == dict.fromkeys(FILES, 0o600)
    assert mode(path.parent) == 0o700


def test_a_folder_of_somebody_is_left_as_it_is_and_the_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    assert run(folder / "dev.db") == dict.fromkeys(FILES, 0o600)
    assert mode(folder) == 0o755


def test_a_folder_that_is_a_link_is_left_as_it_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    (tmp_path / ".stepfast").symlink_to(elsewhere)
    assert run(tmp_path / ".stepfast" / "dev.db") == dict.fromkeys(FILES, 0o600)
    assert mode(elsewhere) == 0o755


def test_only_the_last_folder_of_a_path_is_made_private(tmp_path: Path) -> None:
    run(tmp_path / "a" / "b" / "dev.db")
    assert (mode(tmp_path / "a" / "b"), mode(tmp_path / "a") & 0o700) == (0o700, 0o700)
