"""Files that nobody but their owner may read: they hold what executions work on.

A file is made with its mode, so there is no moment in which another user could open it, and the umask does not count.
On Windows modes mean little; what is in a user's own folder is private there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

FOLDER, FILE = 0o700, 0o600
OURS = ".stepfast"
"""The name of folders that stepfast makes for itself; any other that is there may be shared on purpose."""


def make_folder(folder: Path) -> None:
    """Makes a folder for its owner alone; tightens one that is there only if it is stepfast's own.

    Folders above it are made as usual. Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=FOLDER)
    except FileExistsError:
        if folder.name != OURS:
            return
    _tighten(folder, FOLDER, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


def make_file(path: Path) -> None:
    """Makes an empty file for its owner alone; one that is there is made so. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), FILE)
    try:
        narrow(descriptor, FILE)
    finally:
        os.close(descriptor)


def tighten_file(path: Path) -> None:
    """Makes a file private that an earlier version may have made, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        _tighten(path, FILE, os.O_RDONLY)


def _tighten(path: Path, mode: int, flags: int) -> None:
    if os.name == "nt":
        return
    # The file is opened before it is looked at: between a stat and a chmod by name, somebody could put another file
    # there. O_NOFOLLOW refuses a symbolic link, and the file that it leads to stays as it is.
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and path.is_symlink():
            return
        raise
    try:
        narrow(descriptor, mode)
    finally:
        os.close(descriptor)


def narrow(descriptor: int, mode: int) -> None:
    """Sets the mode of what this user owns; the owner of anything else has decided about it."""
    if os.name == "nt":
        return
    held = os.fstat(descriptor)
    if held.st_uid == os.geteuid() and stat.S_IMODE(held.st_mode) != mode:
        os.fchmod(descriptor, mode)
