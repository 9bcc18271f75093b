"""Refuses I/O, threads and blocking calls in workflow code, which the interpreter reports by audit events (PEP 578)."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from typing import Any

from stepfast.collector import is_collecting
from stepfast.errors import ForbiddenInWorkflow
from stepfast.frames import called_by, calls
from stepfast.language.workflow_loop import CommandLoop

_FORBIDDEN_EVENTS = frozenset(
    [
        "open",
        "os.listdir",
        "os.scandir",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.truncate",
        "os.chmod",
        "os.link",
        "os.symlink",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "os.forkpty",
        "os.startfile",
        "os.kill",
        "subprocess.Popen",
        "time.sleep",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.sendto",
        "http.client.connect",
        "urllib.Request",
        "smtplib.connect",
        "ftplib.connect",
        "imaplib.open",
        "poplib.connect",
        "sqlite3.connect",
        "shutil.copyfile",
        "shutil.move",
        "shutil.rmtree",
        "tempfile.mkstemp",
        "tempfile.mkdtemp",
        "_thread.start_new_thread",
        "_thread.start_joinable_thread",
        "builtins.input",
        "pty.spawn",
        "webbrowser.open",
        "signal.pthread_kill",
    ]
)
# The import system reads program text, and log handlers write: neither is I/O of the workflow itself.
_HARMLESS = frozenset({"importlib", "_frozen_importlib", "_frozen_importlib_external", "linecache", "logging"})


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _FORBIDDEN_EVENTS:
        return
    loop = asyncio._get_running_loop()
    if not isinstance(loop, CommandLoop) or _harmless(arguments):
        return
    shown = f"({arguments[0]!r})"[:80] if arguments and isinstance(arguments[0], str | int | float) else ""
    raise loop.commands.refuse(
        ForbiddenInWorkflow(
            f"workflow code called {event}{shown}: workflow code is replayed and must not do I/O or block; "
            "move the call into a function with @step and await that"
            + (" (to wait, use asyncio.sleep)" if event == "time.sleep" else "")
        )
    )


def _harmless(arguments: tuple[Any, ...]) -> bool:
    if is_collecting():
        return True
    if len(arguments) == 3 and "/zoneinfo/" in str(arguments[0]) and arguments[1] in {"r", "rb"}:
        return True
    return called_by(_HARMLESS, 3)


def _audited(function: Any, event: str) -> Any:
    @calls("through")
    @functools.wraps(function)
    def audited(*args: Any, **kwargs: Any) -> Any:
        _guard(event, args)
        return function(*args, **kwargs)

    return audited


sys.addaudithook(_guard)
# time.sleep raises an audit event since Python 3.13, and the start of a thread since 3.12.
if sys.version_info < (3, 13):
    _time: Any = sys.modules["time"]
    _time.sleep = _audited(_time.sleep, "time.sleep")
if sys.version_info < (3, 12):
    _thread: Any = threading.Thread
    _thread.start = _audited(_thread.start, "_thread.start_new_thread")
