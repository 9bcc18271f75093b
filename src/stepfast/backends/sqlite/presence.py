"""Whether a path still names the file that was opened: a deleted file can be written to, and nobody reads it again."""

from __future__ import annotations

import os
from pathlib import Path

from stepfast.errors import Misconfigured


class OpenedFile:
    """The file that a path names now, by device and inode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = _identity(path)

    def require(self) -> None:
        """Misconfigured where the path no longer names this file; one call of stat(2), about a microsecond."""
        if _identity(self._path) != self._identity:
            raise Misconfigured(
                f"{self._path} was deleted or replaced while it was in use, and what is written now would be lost: "
                "move the file back, or end this process and start it again"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
