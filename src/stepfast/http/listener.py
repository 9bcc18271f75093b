"""The listening socket: accepts connections while there is room, and makes room by closing idle ones.

When no file descriptor is left, asyncio's own accept loop calls its exception handler up to `backlog` times a second,
each time with a traceback, and leaves the clients without an answer (`_accept_connection` in Python 3.11 to 3.14).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import sys
import time
from collections.abc import Callable

from stepfast.descriptors import NO_DESCRIPTOR, OUT_OF_DESCRIPTORS
from stepfast.http.connections import IdleConnections, problem, raw_answer

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 4096
"""Open connections at a time, if the limit of file descriptors allows that many."""
WANTED_DESCRIPTORS = 8192
"""The limit of file descriptors that the server asks the system for at its start."""
FEW_DESCRIPTORS = 256
"""A limit below this is warned of: it is too low for the threads of requests, some connections and steps."""
RESERVED_DESCRIPTORS = 160
"""File descriptors left free for the store, for threads with event loops, and for steps."""
ACCEPTS_PER_TURN = 64
"""Connections accepted in one turn of the event loop, before the open ones are served."""
CLOSED_PER_SHORTAGE = 8
"""Idle connections closed each time the descriptors run out."""
QUIET_SECONDS = 60.0
"""A shortage is logged again only after this many seconds without one."""

_OUT_OF = OUT_OF_DESCRIPTORS | {errno.ENOBUFS, errno.ENOMEM}
_BUSY = raw_answer(503, *problem(503, "unavailable", "too many connections; try again"))


def room() -> int:
    """How many connections may be open at a time. Raises the process's soft limit of descriptors as far as allowed."""
    if sys.platform == "win32":
        return 400  # Python's select() takes at most 512 sockets there
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft != resource.RLIM_INFINITY and soft < FEW_DESCRIPTORS:
        log.warning("at most %d files can be open at a time: raise ulimit -n to %d or more", soft, FEW_DESCRIPTORS)
    total = WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(8, min(MAX_CONNECTIONS, total - min(RESERVED_DESCRIPTORS, total * 3 // 4)))


class Listener:
    """Accepts on a socket until it is closed. It has the methods that uvicorn expects of an asyncio.Server.

    take: makes the protocol of an accepted connection. waiting: the idle connections. count: the number of open
    connections. most: how many may be open.
    """

    def __init__(
        self,
        sock: socket.socket,
        take: Callable[[], asyncio.Protocol],
        waiting: IdleConnections,
        count: Callable[[], int],
        most: int,
    ) -> None:
        self._socket, self._take, self._waiting, self._count, self._most = sock, take, waiting, count, most
        self._loop = asyncio.get_running_loop()
        self._trouble = -QUIET_SECONDS
        self._tasks: set[asyncio.Task[None]] = set()
        self._spare: int | None = _spare()
        sock.setblocking(False)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    async def wait_closed(self) -> None:
        """Nothing is left to wait for: uvicorn waits for the connections itself."""

    def _accept(self) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            full = self._count() + len(self._tasks) >= self._most
            if full and self._tasks:
                return  # those that were just taken come first: they may be the ones that only wait
            try:
                accepted, _address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF:
                    raise
                self._out_of_descriptors()
                return
            if full and not self._waiting.give_up_one():
                self._complain(f"{self._most} connections are at work: others are refused")
                _refuse(accepted)
                continue
            accepted.setblocking(False)
            # asyncio sets TCP_NODELAY only on a socket whose `proto` is IPPROTO_TCP; socket.socket(family, type) has 0.
            # Without it an answer of two packets waits 40 ms for the client's delayed acknowledgement.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._loop.create_task(self._connect(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._take, accepted)
        except OSError:  # the client has gone
            accepted.close()

    def _out_of_descriptors(self) -> None:
        """Closes idle connections. If there are none, answers the next client 503, using the spare descriptor."""
        self._complain(f"{NO_DESCRIPTOR}: idle connections are given up or new ones refused; raise ulimit -n")
        # Several at a time, since the store and the steps need descriptors as well.
        given_up = sum(self._waiting.give_up_one() for _ in range(CLOSED_PER_SHORTAGE))
        if not given_up and self._spare is not None:
            os.close(self._spare)
            with contextlib.suppress(OSError):
                accepted, _address = self._socket.accept()
                _refuse(accepted)
            self._spare = _spare()
        # The socket stays readable while clients wait: pausing the reader keeps the loop from spinning on it.
        self._loop.remove_reader(self._socket)
        self._loop.call_later(0.01 if given_up else 0.1, self._again)

    def _again(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)

    def _complain(self, reason: str) -> None:
        now = time.monotonic()
        if now - self._trouble >= QUIET_SECONDS:
            log.warning("%s", reason)
        self._trouble = now


def _refuse(accepted: socket.socket) -> None:
    with contextlib.suppress(OSError):
        accepted.setblocking(False)
        accepted.send(_BUSY)
        accepted.shutdown(socket.SHUT_WR)
        with contextlib.suppress(BlockingIOError):
            accepted.recv(
                65536
            )  # with the request unread, the kernel would reset the connection and the client lose the answer
    accepted.close()


def _spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
