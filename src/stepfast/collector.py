"""Python's garbage collector: whether it is running in this thread, and how a process of stepfast's own sets it.

Objects that the collector finalizes are freed at an arbitrary time, so their finalizers say nothing about the code
that happens to run then. CPython calls `gc.callbacks` in the thread that collects, before and after each collection
(https://docs.python.org/3/library/gc.html#gc.callbacks).
"""

from __future__ import annotations

import gc
import threading

ALLOCATIONS = 10_000
"""Objects made and not freed, from which on the youngest generation is collected; 700 by default in CPython 3.11."""

_collecting: set[int] = set()


def _note_phase(phase: str, info: dict[str, int]) -> None:
    if phase == "start":
        _collecting.add(threading.get_ident())
    else:
        _collecting.discard(threading.get_ident())


def is_collecting() -> bool:
    """True while a collection runs in the calling thread, and so in finalizers that it calls."""
    return threading.get_ident() in _collecting


def spare() -> None:
    """Leaves out of collections what exists now, and has collections come less often. For a process of our own only.

    The modules that a server has loaded never become garbage, and each full collection would go through all of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, *gc.get_threshold()[1:])


gc.callbacks.append(_note_phase)
