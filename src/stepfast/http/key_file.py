"""Named API keys of an embedded server, in a JSON file of which only digests of the secrets are stored.

`stepfast keys create --file` writes it, and a server reads it anew when it has changed: a revoked key ends at once.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepfast import api_key, durable_files
from stepfast.api_key import ApiKey
from stepfast.errors import StartupError
from stepfast.restriction import NONE, Restriction

_Held = tuple[ApiKey, bytes | None]


class KeyFile:
    """The keys of one file. Thread-safe. Raises StartupError if the file cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, _Held] = {}

    def find(self, token: str, now: float) -> ApiKey | None:
        """The key that a caller's text is, if it works now. Raises StartupError for a file that is not in order."""
        parts = api_key.parts_of(token)
        if parts is None:
            return None
        key, digest = self._current().get(parts[0], (None, None))
        right = api_key.is_right(parts[1], digest)
        return key if right and key is not None and key.state(now) == "active" else None

    def list(self) -> list[ApiKey]:
        """Every key, newest first."""
        keys = (key for key, _ in self._current(missing={}).values())
        return sorted(keys, key=lambda key: (key.created_at, key.key_id), reverse=True)

    def create(
        self,
        name: str,
        scopes: Collection[str],
        now: float,
        until: float | None = None,
        restriction: Restriction = NONE,
    ) -> tuple[ApiKey, str]:
        """Makes a key; the text returned with it is shown nowhere else, ever. InvalidRequest for bad arguments."""
        key, shown, digest = api_key.new(name, scopes, now, until, restriction)
        self._write({**self._current(missing={}), key.key_id: (key, digest)})
        return key, shown

    def revoke(self, key_id: str, now: float) -> bool:
        """Ends a key for good and at once; False when no key has this id, or it was revoked before."""
        keys = dict(self._current(missing={}))
        key, digest = keys.get(key_id, (None, None))
        if key is None or digest is None:
            return False
        self._write({**keys, key_id: (replace(key, revoked_at=now), None)})
        return True

    def check(self) -> None:
        """Raises StartupError unless the file is there and in order."""
        self._current()

    def _current(self, missing: dict[str, _Held] | None = None) -> dict[str, _Held]:
        """The keys in the file. missing: what stands for a file that is not there."""
        with self._lock:
            try:
                seen = os.stat(self._path)
                stamp = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
                if stamp != self._seen:
                    self._keys = _read(json.loads(self._path.read_text()))
                    self._seen = stamp
            except FileNotFoundError as error:
                if missing is not None:
                    return missing
                raise StartupError(
                    f"there is no file of API keys {self._path}: make one with `stepfast keys create NAME --file PATH`"
                ) from error
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise StartupError(
                    f"the file of API keys {self._path} cannot be read: {type(error).__name__}"
                ) from error
            return self._keys

    def _write(self, keys: Mapping[str, _Held]) -> None:
        text = json.dumps({"keys": [_view(key, digest) for key, digest in keys.values()]}, indent=2)
        try:
            durable_files.replace(self._path, text + "\n")
        except OSError as error:
            raise StartupError(f"the file of API keys {self._path} cannot be written: {error.strerror}") from error


def _read(file: Any) -> dict[str, _Held]:
    held = {}
    for item in file["keys"]:
        key = ApiKey(
            str(item["id"]),
            str(item["name"]),
            tuple(item["scopes"]),
            float(item["created"]),
            None if item["until"] is None else float(item["until"]),
            None if item["revoked"] is None else float(item["revoked"]),
            Restriction.of_json(item["limited"]),
        )
        held[key.key_id] = key, None if item["sha256"] is None else bytes.fromhex(item["sha256"])
    return held


def _view(key: ApiKey, digest: bytes | None) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created": key.created_at,
        "until": key.until,
        "revoked": key.revoked_at,
        "limited": key.restriction.as_json(),
        "sha256": None if digest is None else digest.hex(),
    }
