"""The lock that makes a process the one owner of a file; the kernel gives it back when the process ends, however.

On POSIX systems it is a record lock (fcntl.lockf). A process forked by a step, as ProcessPoolExecutor does, does not
inherit one. It cannot keep the file locked after its parent has died, and its end does not release the lock. The
locks of filelock are inherited, and its guard around fork raises RuntimeError where two threads fork at the same time
(filelock 3.32, `_audit_fork_safety`): see findings/filelock-forks.sh.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from stepfast.backends.sqlite import private_files
from stepfast.errors import StartupError

_lock = threading.Lock()
_owned: dict[tuple[int, int], int] = {}
"""Lock files by device and inode, and the process that holds each: the system would grant it a second lock as well.

A forked process has its parent's table, but not its parent's locks.
"""


class DatabaseInUse(StartupError):
    """Another process owns the file, or another Runtime of this process."""


class DatabaseLock:
    """Of the database at a path, by the file `<path>.lock` beside it, which stays there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: tuple[int, tuple[int, int]] | None = None

    def acquire(self) -> None:
        """Takes the lock at once; DatabaseInUse when another Runtime has it, OSError when the file cannot be opened."""
        name = f"{self._path}.lock"
        with _lock:
            # Asked before it is opened: POSIX gives back all record locks of a process on a file when it closes any
            # descriptor of that file (fcntl(2), "Advisory record locking").
            if os.path.exists(name) and _owned.get(_identity(os.stat(name))) == os.getpid():
                raise self._in_use()
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, private_files.FILE)
            if not _locked(descriptor):
                os.close(descriptor)
                raise self._in_use()
            private_files.narrow(descriptor, private_files.FILE)
            key = _identity(os.fstat(descriptor))
            _owned[key] = os.getpid()
            self._held = descriptor, key

    def release(self) -> None:
        """Gives the file back; nothing where it is not held, or in a process that was forked from the holder."""
        with _lock:
            held, self._held = self._held, None
            if held is not None and _owned.get(held[1]) == os.getpid():
                del _owned[held[1]]
                os.close(held[0])

    def _in_use(self) -> DatabaseInUse:
        return DatabaseInUse(
            f"{self._path} is in use by another stepfast; stop that one first, or name another file with --db"
        )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


if sys.platform == "win32":
    import msvcrt

    def _locked(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(descriptor: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True
