"""Whether Python's garbage collector is running in this thread.

Objects that the collector finalizes are freed at an arbitrary time, so their finalizers say nothing about the code
that happens to run then. CPython calls `gc.callbacks` in the thread that collects, before and after each collection
(https://docs.python.org/3/library/gc.html#gc.callbacks).
"""

from __future__ import annotations

import gc
import threading

_collecting: set[int] = set()


def _note_phase(phase: str, info: dict[str, int]) -> None:
    if phase == "start":
        _collecting.add(threading.get_ident())
    else:
        _collecting.discard(threading.get_ident())


def is_collecting() -> bool:
    """True while a collection runs in the calling thread, and so in finalizers that it calls."""
    return threading.get_ident() in _collecting


gc.callbacks.append(_note_phase)
