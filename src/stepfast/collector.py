"""Whether Python's garbage collector is at work in this thread: what it drops or finalizes is nobody's doing."""

from __future__ import annotations

import gc
import threading

_collecting: set[int] = set()


def _note(phase: str, info: dict[str, int]) -> None:
    if phase == "start":
        _collecting.add(threading.get_ident())
    else:
        _collecting.discard(threading.get_ident())


def is_collecting() -> bool:
    return threading.get_ident() in _collecting


gc.callbacks.append(_note)
