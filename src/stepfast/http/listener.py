"""The listening socket: takes connections as long as there is room, and makes room by giving up who only waits.

asyncio's own accept loop, when no file descriptor is left, tells its exception handler up to `backlog` times a second,
each time with a traceback, and lets the clients wait without a word (Python 3.11 to 3.14, `_accept_connection`).
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

from stepfast.http.connections import Waiting, problem, raw_answer

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 4096
"""Connections at a time, where the limit of file descriptors allows as many."""
WANTED_DESCRIPTORS = 8192
"""File descriptors that are asked for when serving begins."""
RESERVED_DESCRIPTORS = 160
"""File descriptors that are kept for the store, the event loops of threads, and steps."""
ACCEPTS_PER_TURN = 64
"""Connections that are taken before those that are there get their turn."""
CLOSED_PER_SHORTAGE = 8
"""Idle connections that are given up at once when descriptors have run out."""
QUIET_SECONDS = 60.0
"""Seconds without trouble after which trouble is logged anew."""

_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_BUSY = raw_answer(503, *problem(503, "unavailable", "too many connections; try again"))


def room() -> int:
    """How many connections may be open at a time: raises this process's limit of descriptors to what it may have."""
    if sys.platform == "win32":
        return 400  # select() takes 512 sockets there
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    total = WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(8, min(MAX_CONNECTIONS, total - min(RESERVED_DESCRIPTORS, total * 3 // 4)))


class Listener:
    """Accepts on a socket until it is closed; as uvicorn's server wants its servers.

    take: makes a connection of an accepted socket. count: how many there are.
    """

    def __init__(
        self,
        sock: socket.socket,
        take: Callable[[], asyncio.Protocol],
        waiting: Waiting,
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
            # asyncio sets it only where the socket names its protocol, which one of socket.socket(family, type) does
            # not; without it an answer of two packets waits 40 ms for the client's delayed acknowledgement.
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
        """Gives up who waits; where nobody does, answers the next in line by the descriptor that is kept for that."""
        self._complain("no file descriptor is left: idle connections are given up or new ones refused; raise ulimit -n")
        # More than are needed right now: the store and steps open files as well.
        given_up = sum(self._waiting.give_up_one() for _ in range(CLOSED_PER_SHORTAGE))
        if not given_up and self._spare is not None:
            os.close(self._spare)
            with contextlib.suppress(OSError):
                accepted, _address = self._socket.accept()
                _refuse(accepted)
            self._spare = _spare()
        # The socket stays readable while clients are in line: looked at again in a while, not in a loop.
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
            accepted.recv(65536)  # unread, a request would make the kernel reset the connection, and the answer be lost
    accepted.close()


def _spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
