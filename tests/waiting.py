"""Waits for what real processes, threads and servers do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(ask: Callable[[], Any], seconds: float = 60.0, *, pause: float = 0.002, what: str = "") -> Any:
    """Asks until the answer is true, and returns it. Fails after `seconds`, and then names `what` it waited for."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain{f' for {what}' if what else ''}"
        time.sleep(pause)
    return answer
