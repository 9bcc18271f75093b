"""A disk that loses power: what SQLite has written and synced, and the files that a loss at some moment would leave.

SQLite reaches its files through a table of functions, its VFS (https://www.sqlite.org/vfs.html). `recorded` puts one in
front of the real one that notes each write, truncation and sync of the files in a folder. `after_loss` makes from the
notes what a disk may hold that loses its power behind one of them: all that was synced, and of what was not, any of its
sectors of 512 bytes, in any order. Of a sector that a write covers in part only its bytes change: SQLite counts on that
(SQLITE_IOCAP_POWERSAFE_OVERWRITE).
"""

from __future__ import annotations

import ctypes
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that were written to a file, not yet synced."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncation:
    """A file was made as long as `size` bytes."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """All that was written to a file before is on the disk. folder: and what became of its folder's files."""

    file: str
    folder: bool = False


@dataclass(frozen=True, slots=True)
class Deletion:
    """A file was deleted: for good once its folder is synced. folder: that it was, at once."""

    file: str
    folder: bool


Note = Write | Truncation | Sync | Deletion


@dataclass
class Disk:
    """The notes of a folder's files, in order, and what the program said when it came to be.

    said: for each saying, the number of notes before it.
    """

    notes: list[Note] = field(default_factory=list)
    said: list[tuple[int, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, note: Note) -> None:
        with self.lock:
            self.notes.append(note)

    def say(self, what: Any) -> None:
        """From here on `what` must survive."""
        with self.lock:
            self.said.append((len(self.notes), what))

    def promised(self, moment: int) -> list[Any]:
        """What was said before the first `moment` notes had come to an end."""
        return [what for at, what in self.said if at <= moment]

    def after_loss(self, moment: int, draw: random.Random, folder: Path) -> None:
        """Writes into `folder` the files that a loss of power behind the first `moment` notes may leave."""
        durable: dict[str, bytearray] = {}
        loose: dict[str, list[Write | Truncation]] = {}
        deleted = set[str]()
        for note in self.notes[:moment]:
            if isinstance(note, Write | Truncation):
                loose.setdefault(note.file, []).append(note)
                continue
            if isinstance(note, Deletion):
                loose.pop(note.file, None)
                deleted.add(note.file)
            else:
                if note.file in deleted:
                    durable.pop(note.file, None)
                    deleted.discard(note.file)
                held = durable.setdefault(note.file, bytearray())
                for one in loose.pop(note.file, ()):
                    _apply(held, one)
            if note.folder:
                for file in deleted:
                    durable.pop(file, None)
                deleted.clear()
        for file in deleted:
            if draw.random() < 0.5:
                durable.pop(file, None)
        kept = draw.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for file, ones in loose.items():
            held = durable.setdefault(file, bytearray())
            for one in ones:
                for piece in _sectors(one):
                    if draw.random() < kept:
                        _apply(held, piece)
        folder.mkdir(parents=True)
        for file, data in durable.items():
            (folder / file).write_bytes(data)


def _apply(held: bytearray, one: Write | Truncation) -> None:
    if isinstance(one, Truncation):
        del held[one.size :]
        held.extend(bytes(one.size - len(held)))
        return
    held.extend(bytes(max(0, one.offset - len(held))))
    held[one.offset : one.offset + len(one.data)] = one.data


def _sectors(one: Write | Truncation) -> Iterator[Write | Truncation]:
    if isinstance(one, Truncation):
        yield one
        return
    at, end = one.offset, one.offset + len(one.data)
    while at < end:
        following = min(end, (at // SECTOR + 1) * SECTOR)
        yield Write(one.file, at, one.data[at - one.offset : following - one.offset])
        at = following


# -- in front of SQLite's own VFS ----------------------------------------------------------------------------------

_SYNCED_WITH_FOLDER = 0x00000800 | 0x00004000 | 0x00080000
"""SQLITE_OPEN_MAIN_JOURNAL, SUPER_JOURNAL, WAL: the first sync of a new one also syncs its folder (os_unix.c)."""
_P, _I, _L = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_WRITE = ctypes.CFUNCTYPE(_I, _P, _P, _I, _L)
_TRUNCATE = ctypes.CFUNCTYPE(_I, _P, _L)
_SYNC = ctypes.CFUNCTYPE(_I, _P, _I)
_OPEN = ctypes.CFUNCTYPE(_I, _P, _P, _P, _I, _P)
_DELETE = ctypes.CFUNCTYPE(_I, _P, ctypes.c_char_p, _I)


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3."""

    _fields_ = (
        ("version", _I),
        ("close", _P),
        ("read", _P),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        *((name, _P) for name in ("size", "lock", "unlock", "reserved", "control", "sector", "characteristics")),
        *((name, _P) for name in ("shm_map", "shm_lock", "shm_barrier", "shm_unmap", "fetch", "unfetch")),
    )


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3, as far as it is changed here; the rest of it is copied as bytes."""

    _fields_ = (
        ("version", _I),
        ("file_bytes", _I),
        ("path_bytes", _I),
        ("next", _P),
        ("name", ctypes.c_char_p),
        ("data", _P),
        ("open", _OPEN),
        ("delete", _DELETE),
        ("rest", _P * 13),
    )


def library() -> ctypes.CDLL | None:
    """The SQLite that Python's sqlite3 uses, or None where it is no library of its own."""
    sqlite3.connect(":memory:").close()
    with open("/proc/self/maps") as maps:
        for line in maps:
            path = line.rstrip().rpartition(" ")[2]
            if "libsqlite3" in path:
                found = ctypes.CDLL(path)
                found.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
                found.sqlite3_vfs_find.argtypes = (ctypes.c_char_p,)
                found.sqlite3_vfs_register.argtypes = (ctypes.POINTER(_Vfs), _I)
                found.sqlite3_vfs_unregister.argtypes = (ctypes.POINTER(_Vfs),)
                return found
    return None


@contextmanager
def recorded(folder: Path) -> Iterator[Disk]:
    """Notes what SQLite does to the files in `folder`, but for its shared memory, which no loss of power survives.

    Every connection that is opened inside must be closed inside.
    """
    found = library()
    assert found is not None
    disk, real = Disk(), found.sqlite3_vfs_find(None)
    ours = _Vfs.from_buffer_copy(bytes(real.contents))
    ours.name = b"stepfast-recorded"
    names: dict[int, str] = {}
    methods: dict[int, _Methods] = {}
    made = set[int]()

    def opened(vfs: int, path: int | None, file: int, flags: int, out: int | None) -> int:
        name = None if path is None else Path(ctypes.string_at(path).decode())
        new = name is not None and not name.exists()
        code: int = real.contents.open(vfs, path, file, flags, out)
        if code == 0 and name is not None and name.parent == folder:
            names[file] = name.name
            (made.add if new and flags & _SYNCED_WITH_FOLDER else made.discard)(file)
            place = _P.from_address(file)
            if place.value is not None:
                if place.value not in methods:
                    methods[place.value] = _noting(_Methods.from_address(place.value), disk, names, made)
                place.value = ctypes.addressof(methods[place.value])
        return code

    def deleted(vfs: int, path: bytes, sync: int) -> int:
        code: int = real.contents.delete(vfs, path, sync)
        if code == 0 and Path(path.decode()).parent == folder:
            disk.note(Deletion(Path(path.decode()).name, sync != 0))
        return code

    ours.open, ours.delete = _OPEN(opened), _DELETE(deleted)
    assert found.sqlite3_vfs_register(ours, 1) == 0
    try:
        yield disk
    finally:
        found.sqlite3_vfs_register(real, 1)
        found.sqlite3_vfs_unregister(ours)


def _noting(real: _Methods, disk: Disk, names: dict[int, str], made: set[int]) -> _Methods:
    """The methods of a kind of file, which note what changes it once it has changed.

    names: of open files. made: those whose next sync also syncs the folder.
    """
    ours = _Methods.from_buffer_copy(bytes(real))

    def write(file: int, data: int, count: int, offset: int) -> int:
        code: int = real.write(file, data, count, offset)
        if code == 0:
            disk.note(Write(names[file], offset, ctypes.string_at(data, count)))
        return code

    def truncate(file: int, size: int) -> int:
        code: int = real.truncate(file, size)
        if code == 0:
            disk.note(Truncation(names[file], size))
        return code

    def sync(file: int, flags: int) -> int:
        code: int = real.sync(file, flags)
        if code == 0:
            disk.note(Sync(names[file], file in made))
            made.discard(file)
        return code

    ours.write, ours.truncate, ours.sync = _WRITE(write), _TRUNCATE(truncate), _SYNC(sync)
    return ours
