"""Key files, API keys and the state of an export: whole, private, and on the disk together with their names."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from stepfast import durable_files
from stepfast.backends import key_file


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, int]]:
    """For each fsync(2): whether it was of a folder, and the bytes that a file had."""
    calls: list[tuple[bool, int]] = []
    real = os.fsync

    def noting(descriptor: int) -> None:
        real(descriptor)
        seen = os.fstat(descriptor)
        calls.append((stat.S_ISDIR(seen.st_mode), 0 if stat.S_ISDIR(seen.st_mode) else seen.st_size))

    monkeypatch.setattr(os, "fsync", noting)
    return calls


def test_the_text_is_synced_before_the_name_and_the_name_before_it_returns(
    tmp_path: Path, synced: list[tuple[bool, int]]
) -> None:
    path = tmp_path / "a"
    durable_files.make(path, "one\n")
    durable_files.replace(path, "three\n")
    assert path.read_text() == "three\n"
    assert stat.S_IMODE(path.stat().st_mode) == durable_files.MODE
    assert synced == [(False, 4), (True, 0), (False, 6), (True, 0)]
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    with pytest.raises(FileExistsError):
        durable_files.make(path, "again")
    assert path.read_text() == "three\n"


def test_a_new_key_is_on_the_disk_before_anything_is_encrypted_with_it(
    tmp_path: Path, synced: list[tuple[bool, int]]
) -> None:
    key_file.create(tmp_path / "master.key")
    key_file.rotate(tmp_path / "master.key")
    assert [folder for folder, _ in synced] == [False, True, False, True]
