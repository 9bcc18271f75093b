"""How a server sets Python's garbage collector, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from stepfast import collector

class Node: pass
def cycle():
    node = Node(); node.self = node
    return node

kept = cycle()
collector.spare()
assert gc.get_freeze_count() > 1000
assert gc.get_threshold()[0] == collector.ALLOCATIONS
later = [cycle() for _ in range(3)]
del later
assert gc.collect() >= 3
"""


def test_what_was_loaded_is_left_out_and_later_garbage_is_still_collected() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
