"""botocore waits in simulated time: between its retries, and for its rate limit after throttling."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

from stepfast.simulator.clock import micros
from stepfast.simulator.patching import Patches
from stepfast.simulator.strand_sandbox import current


def patch(patches: Patches) -> None:
    """A frozen clock would have botocore wait for ever: its rate limit asks the clock whether it may go on."""
    import botocore.endpoint
    import botocore.retries.bucket as bucket

    patches.put(botocore.endpoint, "time", SimpleNamespace(sleep=_sleep, time=time.time))
    patches.put(bucket, "threading", SimpleNamespace(Lock=threading.Lock, Condition=_SimulatedCondition))


MICROSECOND = 1e-6


def _sleep(seconds: float) -> None:
    sandbox = current()
    if sandbox is None:
        time.sleep(seconds)
    else:
        sandbox.pause(sandbox.world.clock.micros + micros(seconds))


class _SimulatedCondition(threading.Condition):
    def __init__(self, lock: Any = None) -> None:
        super().__init__(lock)
        self._held = lock

    def wait(self, timeout: float | None = None) -> bool:
        if current() is None or timeout is None:
            return super().wait(timeout)
        self._held.release()
        try:
            # botocore's bucket asks for less than a microsecond where a rounding error of a token is missing. Simulated
            # time would not move then, and it would ask for ever.
            _sleep(max(timeout, MICROSECOND))
        finally:
            self._held.acquire()
        return False
