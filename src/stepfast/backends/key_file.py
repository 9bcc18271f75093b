"""Master keys in a file, newest first: the embedded home wraps its data keys with them.

A line is `<id> <256 bits in base64>`, and one that begins with `#` is a comment. New data keys are wrapped by the first
key. The others open what they have wrapped before.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from stepfast import durable_files
from stepfast.errors import Misconfigured
from stepfast.values.encryption import DATA_KEY_BYTES, KeyId, without_cryptography

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES, _NONCE_BYTES = 32, 12
_HEADER = (
    "# Master keys of stepfast, newest first: whoever has this file and the key store reads what is encrypted.\n"
    "# Keep a copy where no copy of the key store is. Without it, everything encrypted is lost.\n"
)
HOW = "make one with `stepfast key-file create`, and name it by key_file in [tool.stepfast]"


class KeyFileMaster:
    """The MasterKey of a key file, which is read anew when it has changed. Thread-safe.

    Raises Misconfigured if the file is missing, not in order, or can be read by others.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._keys: dict[str, bytes] = {}

    def make(self, id: KeyId) -> tuple[bytes, str]:
        keys = self.keys()
        name, master = next(iter(keys.items()))
        plain, nonce = secrets.token_bytes(DATA_KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        wrapped = nonce + _aes(master).encrypt(nonce, plain, _bound_to(id))
        return plain, f"file:{name}:{base64.b64encode(wrapped).decode()}"

    def unwrap(self, id: KeyId, wrapped: str) -> bytes:
        kind, _, rest = wrapped.partition(":")
        name, _, text = rest.partition(":")
        master = self.keys().get(name)
        if kind != "file":
            raise Misconfigured(f"the data key of execution {id.execution_id!r} was not wrapped by a key file ({kind})")
        if master is None:
            raise Misconfigured(
                f"the data key of execution {id.execution_id!r} was wrapped by the master key {name}, which is not "
                f"in {self.path}: put that key back into the file, below the newer ones, or name the right file by "
                "key_file"
            )
        from cryptography.exceptions import InvalidTag

        try:
            held = base64.b64decode(text, validate=True)
            return bytes(_aes(master).decrypt(held[:_NONCE_BYTES], held[_NONCE_BYTES:], _bound_to(id)))
        except (InvalidTag, ValueError) as error:
            raise Misconfigured(
                f"the data key of execution {id.execution_id!r} does not open with the master key {name} of "
                f"{self.path}: the key store was changed, or the key was"
            ) from error

    def keys(self) -> dict[str, bytes]:
        """The keys by their ids, newest first."""
        with self._lock:
            try:
                seen = os.stat(self.path)
                stamp = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
                if stamp != self._stamp:
                    self._keys, self._stamp = _read(self.path, seen), stamp
            except FileNotFoundError as error:
                raise Misconfigured(
                    f"there is no key file {self.path}: put it back, since what is encrypted cannot be read without "
                    f"it. If nothing is encrypted yet, {HOW}"
                ) from error
            except (OSError, UnicodeDecodeError) as error:
                raise Misconfigured(f"the key file {self.path} cannot be read: {type(error).__name__}") from error
            return self._keys


def create(path: Path) -> str:
    """Makes a key file with one key, whose id is returned. FileExistsError where there is one."""
    name, line = _new_line()
    durable_files.make(path, _HEADER + line)
    return name


def rotate(path: Path) -> str:
    """Puts a new key above those of a file, and returns its id. Raises Misconfigured as KeyFileMaster does."""
    KeyFileMaster(path).keys()
    name, line = _new_line()
    kept = [held for held in path.read_text().splitlines(keepends=True) if not held.startswith("#")]
    durable_files.replace(path, _HEADER + line + "".join(kept))
    return name


def _new_line() -> tuple[str, str]:
    key = secrets.token_bytes(_KEY_BYTES)
    return _id_of(key), f"{_id_of(key)} {base64.b64encode(key).decode()}\n"


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"stepfast master key" + key).hexdigest()[:12]


def _read(path: Path, seen: os.stat_result) -> dict[str, bytes]:
    if os.name != "nt" and stat.S_IMODE(seen.st_mode) & 0o077:
        raise Misconfigured(f"the key file {path} can be read by others: chmod 600 {path}")
    keys: dict[str, bytes] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, text = line.strip().partition(" ")
        try:
            key = base64.b64decode(text, validate=True)
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES or _id_of(key) != name:
            raise Misconfigured(f"line {number} of the key file {path} is no key: bring the line back as it was")
        keys[name] = key
    if not keys:
        raise Misconfigured(f"the key file {path} has no key: {HOW}")
    return keys


def _aes(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise without_cryptography() from error
    return AESGCM(key)


def _bound_to(id: KeyId) -> bytes:
    return f"stepfast data key\n{id.execution_id}\n{id.name}".encode()
