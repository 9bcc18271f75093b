"""`stepfast dev` runs changed code: it looks at the files of the code, checks what has changed, and begins anew.

The process replaces itself (os.execv), so that its id, its terminal and its listening socket stay: a client that calls
meanwhile waits. Changed code is loaded by another process first; while it does not load, the old code goes on.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from stepfast.deployment.project import Project
from stepfast.errors import DefinitionError, StartupError
from stepfast.language.registry import discover

log = logging.getLogger(__name__)

LOOK_PERIOD_SECONDS = 0.5
"""Seconds between two looks at the files."""
LISTENER = "STEPFAST_DEV_LISTENER"
"""The environment variable that hands the listening socket's number on to the process that comes after."""
SUPPORTED = os.name == "posix"
"""Elsewhere execv starts another process and ends this one, which shells take for its end."""

State = Mapping[Path, tuple[int, int]]
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages"})
_LIBRARIES = tuple(
    f"{Path(sysconfig.get_path(name))}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def state_of(workflows: Path, project: Path) -> State:
    """When the files of the code were last written, and their sizes.

    They are the workflows folder's, those that were imported from the project's folder, and its pyproject.toml.
    """
    stats = {}
    for path in {*_in_folder(workflows.resolve()), *_imported_from(project.resolve()), project / "pyproject.toml"}:
        try:
            status = path.stat()
        except OSError:
            continue  # not there, or not any more: that is a change as well
        stats[path] = (status.st_mtime_ns, status.st_size)
    return stats


def _in_folder(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [
            folder_name
            for folder_name in folders
            if not folder_name.startswith(".") and folder_name not in _SKIPPED_FOLDERS
        ]
        if (Path(root) / "pyvenv.cfg").exists():
            folders.clear()
            continue
        yield from (Path(root, file_name) for file_name in files if file_name.endswith(".py"))


def _imported_from(project: Path) -> Iterator[Path]:
    inside = f"{project}{os.sep}"
    for module in list(sys.modules.values()):
        name = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        ours = isinstance(name, str) and name.startswith(inside) and not name.startswith(_LIBRARIES)
        if isinstance(name, str) and ours and name.endswith(".py"):
            yield Path(name)


class Reloader:
    """Looks at the code from a thread of its own. When it has changed and loads, `wanted` is set and `stop` called.

    stop: has the server end. look, check: for tests; the state of the files, and what keeps the code from loading.
    """

    def __init__(
        self,
        stop: Callable[[], object],
        look: Callable[[], State],
        check: Callable[[], str | None],
    ) -> None:
        self.wanted = threading.Event()
        self._stop, self._look, self._check = stop, look, check
        self._seen = look()
        self._changing = False
        self._ended = threading.Event()

    def begin(self) -> None:
        threading.Thread(target=self._run, name="stepfast-reload", daemon=True).start()

    def end(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self.wanted.is_set() and not self._ended.wait(LOOK_PERIOD_SECONDS):
            try:
                self.turn()
            except Exception:
                log.exception("the look at changed code failed; it goes on")

    def turn(self) -> None:
        """Looks once. What was changed since the last turn may still be being written: it counts at the next one."""
        state = self._look()
        if state != self._seen:
            changed = sorted(str(path) for path in {*state, *self._seen} if state.get(path) != self._seen.get(path))
            log.info("changed: %s", ", ".join(changed[:5]) + (" and more" if len(changed) > 5 else ""))
            self._seen, self._changing = state, True
        elif self._changing:
            self._changing = False
            if (wrong := self._check()) is not None:
                log.error("the changed code does not load, so the code from before goes on: %s", wrong)
            elif self._look() == state:
                self.wanted.set()
                self._stop()


def check_in_process(workflows: Path) -> str | None:
    """What keeps the code in the folder from loading, in a line; None when it loads. Runs in a process of its own."""
    command = [sys.executable, "-P", "-m", "stepfast.local.reloading", str(workflows)]
    loading = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if loading.returncode == 0:
        return None
    lines = loading.stderr.strip().splitlines()
    return lines[-1] if lines else f"loading it ended with status {loading.returncode}"


def begin_anew(listener: socket.socket) -> None:
    """Replaces this process by one that was started in the same way and takes the same connections."""
    listener.set_inheritable(True)
    os.environ[LISTENER] = str(listener.fileno())
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def handed_on() -> socket.socket | None:
    """The listening socket of the process that this one has replaced; None for the first one."""
    number = os.environ.pop(LISTENER, None)
    if number is None:
        return None
    listener = socket.socket(fileno=int(number))
    listener.set_inheritable(False)
    return listener


def main() -> None:
    """Loads a folder of workflows; a line on standard error and exit status 2 when that fails."""
    try:
        discover(Path(sys.argv[1])).check()
        Project.read(Path.cwd())
    except (StartupError, DefinitionError) as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()


class WatchedCode:
    """The code of a server while it serves. changed: the server is to end because other code is there to serve."""

    def __init__(self, workflows: Path, watched: bool) -> None:
        self._workflows, self._watched = workflows, watched
        self._reloader: Reloader | None = None

    @property
    def changed(self) -> bool:
        return self._reloader is not None and self._reloader.wanted.is_set()

    def watch(self, stop: Callable[[], None]) -> None:
        """Calls `stop` once, when changed code has passed its checks."""

        def end() -> None:
            log.info("reloading: the changed code loads")
            stop()

        if self._watched:
            self._reloader = Reloader(
                end, lambda: state_of(self._workflows, Path.cwd()), lambda: check_in_process(self._workflows)
            )
            self._reloader.begin()

    def end(self) -> None:
        if self._reloader is not None:
            self._reloader.end()
