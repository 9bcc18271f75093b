"""Small private files that a loss of power leaves whole: as they were before, or as they were written."""

from __future__ import annotations

import os
from pathlib import Path

MODE = 0o600


def make(path: Path, text: str) -> None:
    """A new file, which is on the disk once this returns. FileExistsError where there is one; OSError."""
    _write(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), text)
    _sync_folder(path.parent)


def replace(path: Path, text: str) -> None:
    """Writes a file anew, which is on the disk once this returns; whoever reads sees all of the old or all of the new.

    Raises OSError; then the file is as it was.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    _write(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE), text)
    new.replace(path)
    _sync_folder(path.parent)


def _write(descriptor: int, text: str) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """A file's name is kept by its folder. Windows has no descriptors of folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
