"""A PostgreSQL server of a measurement's own, with the settings that `initdb` gives it, on loopback."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers.work import free_port

ACCOUNT = "postgres"
"""Whom the server runs as where this program runs as root, which PostgreSQL refuses. Debian's package makes it."""


@contextmanager
def server(place: Path) -> Iterator[str]:
    """The address of a database. The server ends with the block. Raises SystemExit where it cannot be run."""
    programs = _programs()
    rights: dict[str, Any] = {}
    data = place.absolute() / "postgres"
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam(ACCOUNT)
        except KeyError:
            raise SystemExit(f"PostgreSQL does not run as root, and there is no account {ACCOUNT}") from None
        rights = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        os.chown(data, account.pw_uid, account.pw_gid)
        place.chmod(0o711)  # so that the account gets to its own folder
    log = (place / "postgres.log").open("wb")
    with log:
        made = [str(programs / "initdb"), "--auth=trust", "--username=bench", "--no-instructions", "-D", str(data)]
        subprocess.run(made, check=True, stdout=log, stderr=log, cwd="/", **rights)
        port = free_port()
        command = [str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **rights)
        try:
            ready = [str(programs / "pg_isready"), "--quiet", "-h", "127.0.0.1", "-p", str(port), "-t", "30"]
            while subprocess.run(ready, check=False).returncode and process.poll() is None:
                pass
            yield f"postgresql://bench@127.0.0.1:{port}/bench"
        finally:
            process.terminate()
            process.wait(30)


def _programs() -> Path:
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    where = programs[-1] if programs else shutil.which("initdb")
    if where is None:
        raise SystemExit("PostgreSQL is not installed")
    return Path(where).parent
