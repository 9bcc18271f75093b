"""Reloading of `stepfast dev`: it watches the files of the code, checks changed code, and restarts the process.

The process replaces itself with os.execv and keeps its id, its terminal and its listening socket, so that a client that
connects meanwhile waits. Another process loads the changed code first. While that fails, the old code keeps running.
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
"""The time between two looks at the files."""
LISTENER = "STEPFAST_DEV_LISTENER"
"""The environment variable with the number of the listening socket, for the process after os.execv."""
SUPPORTED = os.name == "posix"
"""On Windows os.execv starts another process and ends this one, so the shell believes that the command has ended."""

State = Mapping[Path, tuple[int, int]]
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages"})
_LIBRARIES = tuple(
    f"{Path(sysconfig.get_path(name))}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def state_of(workflows: Path, project: Path) -> State:
    """The times of the last writes in nanoseconds, and the sizes in bytes, of the files of the code.

    These are the files in the workflows folder, the modules imported from the project's folder, and its pyproject.toml.
    """
    stats = {}
    for path in {
        *_python_files_in(workflows.resolve()),
        *_imported_files_in(project.resolve()),
        project / "pyproject.toml",
    }:
        try:
            status = path.stat()
        except OSError:
            continue  # A file that is missing or deleted has no entry, which is a change as well.
        stats[path] = (status.st_mtime_ns, status.st_size)
    return stats


def _python_files_in(folder: Path) -> Iterator[Path]:
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


def _imported_files_in(project: Path) -> Iterator[Path]:
    inside = f"{project}{os.sep}"
    for module in list(sys.modules.values()):
        name = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        ours = isinstance(name, str) and name.startswith(inside) and not name.startswith(_LIBRARIES)
        if isinstance(name, str) and ours and name.endswith(".py"):
            yield Path(name)


class Reloader:
    """Watches the code from a thread of its own. When changed code loads, it sets `wanted` and calls `stop`.

    stop: ends the server. look: returns the state of the files. check: returns the reason why the code does not load,
    or None.
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
                log.exception("watching the code for changes failed; it continues")

    def turn(self) -> None:
        """Looks once. Files that have just changed may still be written to, so they are checked at the next turn."""
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
    """Loads the code in another process. Returns the reason why it does not load, in one line, or None."""
    command = [sys.executable, "-P", "-m", "stepfast.local.reloading", str(workflows)]
    loading = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if loading.returncode == 0:
        return None
    lines = loading.stderr.strip().splitlines()
    return lines[-1] if lines else f"loading it ended with status {loading.returncode}"


def begin_anew(listener: socket.socket) -> None:
    """Replaces this process by one with the same command line and the same listening socket. Does not return.

    sys.orig_argv keeps the options of the interpreter, such as -m, which sys.argv does not.
    """
    listener.set_inheritable(True)
    os.environ[LISTENER] = str(listener.fileno())
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def handed_on() -> socket.socket | None:
    """The listening socket of the process that this process has replaced; None for the first process.

    The socket is made non-inheritable again, so that the steps' own child processes do not keep the port open.
    """
    number = os.environ.pop(LISTENER, None)
    if number is None:
        return None
    listener = socket.socket(fileno=int(number))
    listener.set_inheritable(False)
    return listener


def main() -> None:
    """Loads a folder of workflows. If that fails, exits with status 1 and one line on standard error."""
    try:
        discover(Path(sys.argv[1])).check()
        Project.read(Path.cwd())
    except (StartupError, DefinitionError) as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()


class WatchedCode:
    """The code of a running server. changed: whether the server should end because changed code is ready."""

    def __init__(self, workflows: Path, watched: bool) -> None:
        self._workflows, self._watched = workflows, watched
        self._reloader: Reloader | None = None

    @property
    def changed(self) -> bool:
        return self._reloader is not None and self._reloader.wanted.is_set()

    def watch(self, stop: Callable[[], None]) -> None:
        """Starts to watch. Calls `stop` once, when changed code has passed its checks."""

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
