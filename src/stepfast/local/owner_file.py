"""Where the owner of a database answers the other processes that share the file: `<path>.owner` beside it.

It holds the address and a secret, which the owner makes anew each time. Only the user who runs the owner can read it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from stepfast.backends.sqlite import private_files


@dataclass(frozen=True, slots=True)
class OwnerAddress:
    """The URL of the owner's API, and the API key that it takes."""

    url: str
    key: str


class OwnerFile:
    """The file with the address, of the database at a path."""

    def __init__(self, database: Path) -> None:
        self._path = Path(f"{database}.owner")

    def write(self, port: int, key: str) -> None:
        """Replaces the file at once, so that no process reads half of it. Raises OSError."""
        address = json.dumps({"url": f"http://127.0.0.1:{port}", "key": key})
        beside = Path(f"{self._path}.{secrets.token_hex(8)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private_files.FILE)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(address)
        os.replace(beside, self._path)

    def read(self) -> OwnerAddress | None:
        """The address that was written last; None where none can be read. Its owner may have died since."""
        try:
            address = json.loads(self._path.read_text(encoding="utf-8"))
            return OwnerAddress(str(address["url"]), str(address["key"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove(self) -> None:
        """Removes the file; no effect where it is gone."""
        with contextlib.suppress(OSError):
            self._path.unlink()
