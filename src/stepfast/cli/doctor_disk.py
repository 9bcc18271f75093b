"""What `stepfast doctor` says about the file of `stepfast dev` and the disk below it: no more than it measures."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from stepfast.cli.doctor_packages import FAIL, OK, WARN, Finding

MEGABYTE = 1024 * 1024
LITTLE_SPACE = 500 * MEGABYTE
CHECKED_BYTES = 200 * MEGABYTE
"""The size of a file up to which SQLite looks at all its pages here."""
COMMITS = 20
NETWORK = frozenset(
    {
        *("9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs"),
        *("fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "smb3", "smbfs", "vboxsf"),
        "virtiofs",
    }
)
"""Types of file systems that are on another machine. SQLite's log needs memory that all its processes share: "all
processes using a database must be on the same host computer", https://sqlite.org/wal.html"""
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
LAYER = frozenset({"overlay", "aufs"})


def file(db: Path) -> Finding:
    """The database: whether it is there, can be read, has a version that this stepfast knows, and is private."""
    from stepfast.backends.sqlite.schema import SCHEMA_VERSION  # imported here: other commands do not need it

    if not db.exists():
        return Finding("file", OK, f"no {db} yet: `stepfast dev` makes it")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(db.resolve()))}?mode=ro", uri=True)) as connection:
            (written_version,) = connection.execute("PRAGMA user_version").fetchone()
            size = db.stat().st_size
            checked = size <= CHECKED_BYTES
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if checked else "ok"
    except (sqlite3.Error, OSError) as error:
        return Finding("file", FAIL, f"cannot read {db}: {error}", "name the file of `stepfast dev` with --db")
    if damage != "ok":
        return Finding("file", FAIL, f"{db} is damaged: {damage}", "restore a backup, or use SQLite's .recover")
    if written_version == 0:
        return Finding("file", FAIL, f"{db} is no stepfast database", "name the file of `stepfast dev` with --db")
    if written_version > SCHEMA_VERSION:
        return Finding("file", FAIL, f"{db} was written by a newer stepfast", "upgrade stepfast")
    text = f"{db}, {size / MEGABYTE:.1f} MB, schema {written_version}"
    text += "" if checked else ", too large to look at every page here"
    if os.name != "nt" and db.stat().st_mode & 0o077:
        return Finding("file", WARN, f"{text}: others may read it", f"chmod 600 {db}")
    if written_version < SCHEMA_VERSION:
        return Finding("file", WARN, f"{text}, of an earlier stepfast", "back it up; `stepfast dev` upgrades it")
    return Finding("file", OK, text)


def disk(folder: Path) -> Iterator[Finding]:
    """Space, kind and speed of the disk that has the folder, or where the folder will be made."""
    folder = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(folder).free
    space = f"{free / MEGABYTE:,.0f} MB free in {folder}"
    if free < LITTLE_SPACE:
        yield Finding("space", WARN, space, "make room: without space, requests are answered with 503")
    else:
        yield Finding("space", OK, space)
    yield file_system(kind_of(folder))
    yield commit_time(folder)


def file_system(kind: str | None) -> Finding:
    """kind: the type as the system names it, such as ext4; None where the system does not say."""
    if kind is None:
        text = f"its kind is not known on {sys.platform}"
        return Finding("file system", WARN, text, "make sure that it is a disk of this machine")
    if kind in NETWORK:
        advice = "keep the file on a disk of this machine: SQLite's log is not made for a network"
        return Finding("file system", WARN, f"{kind} is on another machine", advice)
    if kind in IN_MEMORY:
        advice = "keep the file on a disk, or lose it when the machine stops"
        return Finding("file system", WARN, f"{kind} is in memory", advice)
    if kind in LAYER:
        advice = "keep the file on a volume, or lose it with the container"
        return Finding("file system", WARN, f"{kind} is the layer of a container", advice)
    return Finding("file system", OK, kind)


def kind_of(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system that has the folder, from Linux's list of mounts: proc_pid_mountinfo(5)."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
        real = folder.resolve(strict=True)
    except OSError:
        return None
    best, kind = -1, None
    for line in lines:
        fields, _, behind = line.partition(" - ")
        words = fields.split()
        if len(words) < 5 or not behind:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), words[4]))  # \040 is a space
        if (
            real.is_relative_to(point) and len(point.parts) >= best
        ):  # of two mounts on one point the later hides the other
            best, kind = len(point.parts), behind.split()[0]
    return kind


def commit_time(folder: Path) -> Finding:
    """Commits as `stepfast dev` makes them with --durability full: SQLite's log, and a wait for the disk at each."""
    try:
        with tempfile.TemporaryDirectory(prefix=".stepfast-doctor-", dir=folder) as place:
            mode, commits = _commits(Path(place) / "doctor.db")
            sync = _sync(Path(place) / "doctor.sync")
    except (OSError, sqlite3.Error) as error:
        return Finding(
            "durability",
            FAIL,
            f"cannot write in {folder}: {error}",
            "make it writable, or keep the file elsewhere: `stepfast dev --db FILE`",
        )
    if mode != "wal":
        advice = "choose another folder with --db: SQLite cannot share memory here"
        return Finding("durability", FAIL, f"SQLite keeps no log in {folder} (its mode is {mode})", advice)
    text = (
        f"a commit takes {statistics.median(commits) * 1000:.2f} ms and an fsync {sync * 1000:.2f} ms (the median of "
    )
    text += f"{COMMITS}); whether the drive keeps them without power cannot be measured here"
    if sys.platform == "darwin":
        return Finding("durability", WARN, text, "macOS: fsync does not wait for the cache of the drive, see fsync(2)")
    return Finding("durability", OK, text)


def _commits(path: Path) -> tuple[str, list[float]]:
    seconds = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE commits (number INTEGER, value TEXT)")
        for number in range(COMMITS):
            begun = time.perf_counter()
            connection.execute("INSERT INTO commits VALUES (?, ?)", (number, "x" * 1000))
            seconds.append(time.perf_counter() - begun)
    return str(mode), seconds


def _sync(path: Path) -> float:
    seconds = []
    with path.open("wb", buffering=0) as stream:
        for _ in range(COMMITS):
            stream.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fsync(stream.fileno())
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
