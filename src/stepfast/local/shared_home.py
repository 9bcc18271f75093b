"""One database for the processes of an application: one process owns it, and the others ask the owner.

The owner has the lock of the file, runs the executions, and serves the API on a port of the loopback for the other
processes. When the owner ends, the kernel gives the lock back: the first of the others to ask for it goes on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from stepfast.backends.sqlite.owner import DatabaseInUse
from stepfast.errors import StartupError, Unavailable
from stepfast.http import restricting
from stepfast.http.api import Api, resolvers
from stepfast.http.inbound import InboundWebhook
from stepfast.http.resolver import ResolverPool
from stepfast.http.server import Server, listen
from stepfast.http.waiting import EndWatch
from stepfast.local.owner_client import OwnerAuthenticator, OwnerAway, OwnerClient, OwnerWatch
from stepfast.local.owner_file import OwnerFile
from stepfast.local.runtime import Runtime

log = logging.getLogger(__name__)

TAKEOVER_PERIOD_SECONDS = 0.25
"""The time between two tries to own the file. A try that fails opens and closes the lock's file."""
OPENING_SECONDS = 30.0
"""The time for an owner that has just taken the file to serve it."""
HANDING_ON_SECONDS = 5.0
"""The time that a request waits for an owner to be there; then its caller tries again."""
CHANGE_LOOK_SECONDS = 0.5
"""Between two looks for changes that another process makes."""
_THREAD = "stepfast-owner"


class SharedHome:
    """Answers events of the API in this process or through the owner. Thread-safe.

    path: the database. make: makes the Runtime, and raises DatabaseInUse while another process owns the file. inbound:
    the webhooks of others that start workflows.
    """

    def __init__(self, path: Path, make: Callable[[], Runtime], inbound: Sequence[InboundWebhook] = ()) -> None:
        self._path, self._make, self._inbound = path, make, inbound
        self._file, self._client = OwnerFile(path), OwnerClient()
        self._changing = threading.Lock()
        self._owned: _Owned | None = None
        self._closed = threading.Event()
        self._closed.set()
        self._look = threading.Event()
        self._watch: threading.Thread | None = None

    @property
    def is_owner(self) -> bool:
        """Whether this process owns the file."""
        return self._owned is not None

    @property
    def is_open(self) -> bool:
        """Whether `open` has returned and `close` was not called."""
        return self._watch is not None and not self._closed.is_set()

    def open(self) -> None:
        """Returns once this process owns the file or can reach the owner. Raises StartupError."""
        if not self._closed.is_set():
            raise StartupError(f"this engine has opened {self._path} already: close it first, or make another engine")
        self._closed.clear()
        try:
            self._open()
        except BaseException:
            self._closed.set()
            raise
        self._watch = threading.Thread(target=self._keep_trying, name="stepfast-takeover", daemon=True)
        self._watch.start()

    def _open(self) -> None:
        end = time.monotonic() + OPENING_SECONDS
        while not self._take() and not self._reaches_owner():
            if time.monotonic() > end:
                raise StartupError(
                    f"{self._path} is in use by a stepfast that does not share it, such as `stepfast dev`: stop that "
                    "one first, or name another file"
                )
            time.sleep(0.02)

    def close(self) -> None:
        """Gives the file back, if this process owns it, after the grace period of the running steps.

        It may be opened again, and to close it again has no effect.
        """
        self._closed.set()
        self._look.set()
        with self._changing:
            owned, self._owned = self._owned, None
        if owned is not None:
            owned.close()
        if self._watch is not None:
            self._watch.join()
            self._watch = None
        self._client.close()

    def resolve(self, event: Mapping[str, Any], context: Any, granted: frozenset[str]) -> dict[str, Any]:
        """Answers an event. Raises Unavailable while no owner is there."""
        end = time.monotonic() + HANDING_ON_SECONDS
        while not self._closed.is_set():
            if (owned := self._owned) is not None:
                return owned.pool.resolve(event, context, granted)
            address = self._file.read()
            try:
                if address is not None:
                    return self._client.send(address, event, restricting.current())
            except OwnerAway:
                pass
            self._look.set()
            if time.monotonic() > end:
                raise Unavailable(f"no process owns {self._path} just now; try again")
            time.sleep(0.02)
        raise Unavailable("the engine is closed")

    @contextmanager
    def watch(self, execution_id: str, *, changes: bool = False) -> Iterator[EndWatch]:
        """Reports every end of an execution from here on, in this process or through the owner."""
        owned = self._owned
        with (
            owned.ends.watch(execution_id, changes=changes)
            if owned is not None
            else nullcontext(AnyTime() if changes else OwnerWatch(self._file.read, execution_id)) as watch
        ):
            yield watch

    def goes_on(self, execution_id: str) -> bool:
        """True if this process owns the file, has started the execution and has not ended it since."""
        owned = self._owned
        return owned is not None and owned.ends.goes_on(execution_id)

    def _take(self) -> bool:
        """Takes the file if it is free. Returns whether this process owns it. Raises StartupError."""
        with self._changing:
            if self._owned is None and not self._closed.is_set():
                try:
                    runtime = self._make()
                except DatabaseInUse:
                    return False
                try:
                    self._owned = _Owned(runtime, self._file, self._inbound)
                except BaseException:
                    runtime.close()
                    raise
            return self._owned is not None

    def _reaches_owner(self) -> bool:
        address = self._file.read()
        return address is not None and self._client.answers(address)

    def _keep_trying(self) -> None:
        complaint = ""
        while not self._closed.is_set() and self._owned is None:
            self._look.wait(TAKEOVER_PERIOD_SECONDS)
            self._look.clear()
            try:
                if self._take() and not self._closed.is_set():
                    log.info("this process owns %s now", self._path)
            except Exception as error:  # such as a full disk: the file has no owner until somebody repairs it
                if complaint != (complaint := str(error)):
                    log.error("%s has no owner, and cannot be taken: %s", self._path, error)
                self._closed.wait(1.0)


class _Owned:
    """The file as its owner has it: the runtime, and the server for the other processes."""

    def __init__(self, runtime: Runtime, file: OwnerFile, inbound: Sequence[InboundWebhook]) -> None:
        self._runtime, self._file, self.ends = runtime, file, runtime.ends
        self.pool: ResolverPool = resolvers(runtime.operations, runtime.registry, runtime.call, inbound=inbound)
        key = secrets.token_urlsafe(32)
        # As an Api, so that a request without the secret is refused before its body is read.
        api = Api(self.pool, OwnerAuthenticator([key]), None, runtime.ends)
        self._server = Server(api, listen("127.0.0.1", 0), owns_logging=False)
        self._thread = threading.Thread(target=self._server.run, name=_THREAD, daemon=True)
        logging.getLogger("uvicorn.error").addFilter(_is_of_another_server)
        started = threading.Event()
        self._server.on_started = started.set
        self._thread.start()
        if not started.wait(OPENING_SECONDS):
            raise StartupError("the server for the other processes of the application has not started")
        file.write(self._server.port, key)

    def close(self) -> None:
        self._file.remove()
        self._server.stop()
        self._thread.join()
        self._runtime.close()


def _is_of_another_server(record: logging.LogRecord) -> bool:
    """False for what uvicorn logs about the server of this module: the application's own server logs there too."""
    return record.threadName != _THREAD


class AnyTime:
    """Stands for the changes that the owner in another process makes: they are looked for."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake_here(self) -> None:
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, CHANGE_LOOK_SECONDS)):
                await self._woken.wait()
        self._woken.clear()
