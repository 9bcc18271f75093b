"""A limit on the time that code of users may take in this thread, which is no use of asyncio: it never awaits."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TookTooLong(BaseException):
    """Raised in code that has taken too long. A BaseException, so that `except Exception` does not catch it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises TookTooLong in the block once it has taken this long, at the next instruction of Python code.

    PyThreadState_SetAsyncExc is CPython's own (docs.python.org/3/c-api/init.html). A call into C is not interrupted.
    """
    thread, lock, over = threading.get_ident(), threading.Lock(), False

    def interrupt() -> None:
        with lock:
            if not over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TookTooLong))

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
        timer.cancel()
