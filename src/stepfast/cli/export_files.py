"""Where an export goes: standard output, or a file that appears under its name when it is complete.

Until then it is FILE.partial, which holds whole pages, and FILE.partial.state says where the next page begins.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from stepfast import durable_files
from stepfast.cli import printing
from stepfast.errors import InvalidRequest

STANDARD_OUTPUT = Path("-")
PRIVATE = 0o600
"""An export holds inputs and results, as the database does."""


def is_replaced(output: Path) -> bool:
    """False for standard output, and for a device or pipe, which is written to and never replaced."""
    return output != STANDARD_OUTPUT and (output.is_file() or not output.exists())


class ExportStream:
    """What is written, and how far the export is. cursor: the page to go on with. executions: how many are written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.cursor: str | None = None
        self.executions = 0
        self.bytes = 0

    def write(self, line: bytes) -> None:
        self._stream.write(line)
        self.bytes += len(line)

    def keep(self, cursor: str | None) -> None:
        """A page is complete; `cursor` is that of the next page."""
        self._stream.flush()
        self.cursor = cursor


class PartialFile(ExportStream):
    """FILE.partial, which becomes FILE."""

    def __init__(self, output: Path, subject: str, go_on: bool) -> None:
        self.path, self._output, self._subject = Path(f"{output}.partial"), output, subject
        self.state = Path(f"{output}.partial.state")
        kept = _state_of(self.state, subject) if go_on else None
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags, PRIVATE)
        super().__init__(os.fdopen(descriptor, "wb"))
        try:
            self._make_ours(descriptor)
        except BaseException:
            self._stream.close()
            raise
        if kept is not None:
            self.cursor, self.executions, self.bytes = kept["cursor"], kept["executions"], kept["bytes"]
            if os.fstat(descriptor).st_size < self.bytes:
                self._stream.close()
                raise InvalidRequest(f"{self.path} is shorter than its state says: start again without --continue")
        else:
            self.state.unlink(missing_ok=True)
        self._stream.truncate(self.bytes)
        self._stream.seek(self.bytes)

    def _make_ours(self, descriptor: int) -> None:
        """Makes the file private, and refuses it while another export writes it: two would overwrite each other."""
        if sys.platform == "win32":  # no modes and no flock; an open file cannot be replaced there
            return
        import fcntl

        os.fchmod(descriptor, PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidRequest(f"another export writes {self.path}: wait for it, or name another --output") from None

    def keep(self, cursor: str | None) -> None:
        """The pages are on the disk before the state that counts them."""
        super().keep(cursor)
        os.fsync(self._stream.fileno())
        if cursor is None:  # the state stays at the last page: without a cursor it would start the list again
            return
        state = {"subject": self._subject, "cursor": cursor, "executions": self.executions, "bytes": self.bytes}
        durable_files.replace(self.state, json.dumps(state))

    def finish(self) -> None:
        self._stream.close()
        self.path.replace(self._output)
        self.state.unlink(missing_ok=True)

    def stop(self) -> None:
        """Ends an export that is not complete. The pages that were read stay, for --continue."""
        with suppress(OSError):  # such as a full disk, which is why it stops
            self._stream.close()
        if self.state.exists():
            printing.complain(
                f"the pages that were read are in {self.path}: go on with the same command and --continue"
            )
        else:
            self.path.unlink(missing_ok=True)


@contextmanager
def opened(output: Path, subject: str, go_on: bool) -> Iterator[ExportStream]:
    """The target of an export. subject: names filters and format, so that --continue cannot mix two exports.

    Raises InvalidRequest for a file that cannot be written, and for a file that --continue does not fit.
    """
    if output == STANDARD_OUTPUT:
        yield ExportStream(sys.stdout.buffer)
        return
    try:
        if not is_replaced(output):
            with output.open("wb") as stream:
                yield ExportStream(stream)
            return
        file = PartialFile(output, subject, go_on)
        try:
            yield file
            file.finish()
        except BaseException:
            file.stop()
            raise
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise InvalidRequest(f"cannot write {output}: {error.strerror or error}") from error


def _state_of(path: Path, subject: str) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        kept = {"cursor": state["cursor"], "executions": int(state["executions"]), "bytes": int(state["bytes"])}
    except FileNotFoundError:
        raise InvalidRequest(f"no interrupted export: {path} is missing; start again without --continue") from None
    except (ValueError, KeyError, TypeError):
        raise InvalidRequest(f"{path} is no state of an export: start again without --continue") from None
    if state.get("subject") != subject:
        raise InvalidRequest(
            f"{path} belongs to an export with other filters, server or format: repeat them, or leave out --continue"
        )
    return kept
