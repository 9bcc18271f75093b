"""A process of a pool as its server sees it: it is started, spoken to, ended, and its death explained."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Any

from stepfast.local.pool_messages import FromProcess, PoolSetup, RunStep, StopStep

PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from stepfast.local.pool_process import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""
"""Sets the path of the server first, so that the process imports the same modules, stepfast among them."""
EXIT_SECONDS = 1.0
"""The time that a process has to end once it has closed its connection."""
EXIT_LOOK_SECONDS = 0.002


class PoolChild:
    """One process. One thread speaks with it; any thread may end it.

    The process is the leader of a session of its own. So Ctrl-C in a terminal reaches the server alone, which then
    gives running steps their time, and the processes that a step has started end together with it.
    """

    def __init__(self, setup: PoolSetup) -> None:
        self._connection, theirs = Pipe()
        # An exclusive lock between `kill` and the moment when the id of the process is given back to the system.
        self._reaping = threading.Lock()
        self._killed = False
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-u",
                    "-c",
                    PROGRAM,
                    json.dumps(sys.path),
                    str(theirs.fileno()),
                    str(os.getpid()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        with suppress(OSError):  # It has died at once: the next `receive` raises.
            self._connection.send(setup)

    def send(self, message: RunStep | StopStep | None) -> bool:
        """Sends a message; None asks the process to end. Returns False if the process has died before it has all."""
        try:
            self._connection.send(message)
        except OSError:
            return False
        return True

    def wait(self, others: Sequence[Any], timeout: float | None) -> list[Any]:
        """Those of the other connections that have something, after up to `timeout` seconds; `self`, if this has."""
        ready = wait([self._connection, *others], timeout)
        return [self if each is self._connection else each for each in ready]

    def receive(self) -> FromProcess:
        """The next message. Raises EOFError when the process has died."""
        try:
            message: FromProcess = self._connection.recv()
        except OSError as error:
            raise EOFError from error
        return message

    def kill(self) -> None:
        """Ends the process, and the processes that its step has started, with SIGKILL. From any thread."""
        with self._reaping:
            if self._process.poll() is None:
                self._killed = True
                self._kill_group()

    def reap(self, patience: float = EXIT_SECONDS) -> int:
        """Waits up to `patience` seconds for the end of the process, then ends it. Returns its exit code."""
        end = time.monotonic() + patience
        while (code := self._poll()) is None:
            if time.monotonic() >= end:
                self.kill()
            time.sleep(EXIT_LOOK_SECONDS)
        self._connection.close()
        return code

    def cause_of(self, code: int) -> str:
        """What the exit code says, as the end of a sentence about the process."""
        if self._killed:
            return "was ended by its server"
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"was ended by {name}" + (", likely because it was out of memory" if name == "SIGKILL" else "")

    def _poll(self) -> int | None:
        with self._reaping:
            code = self._process.poll()
            if code is not None:
                self._kill_group()  # what its step has started and left
            return code

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self.pid, signal.SIGKILL)


def log_levels() -> dict[str, int]:
    """The levels that were set for loggers of this process, by their names; "" is the root logger."""
    loggers = logging.root.manager.loggerDict.items()
    levels = {name: logger.level for name, logger in loggers if isinstance(logger, logging.Logger) and logger.level}
    return {"": logging.root.level, **levels}
