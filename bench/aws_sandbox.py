"""One function in a process of its own, as Lambda has it: `python -m bench.aws_sandbox KIND`.

Takes an event a line, calls the real handler with it, and tells on its own last output what that cost. Whatever
the function itself prints is counted and thrown away: in Lambda it would be logged.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

SECONDS_LEFT = 900.0
"""Enough for any chain, whatever the timeouts of its steps."""


class Context:
    """As much of Lambda's as the functions look at."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    function_name = "bench"
    memory_limit_in_mb = "256"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:bench"

    def get_remaining_time_in_millis(self) -> int:
        return int(SECONDS_LEFT * 1000)


class Counting(io.TextIOBase):
    """Takes what is printed and remembers only how many bytes that were."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, text: str) -> int:
        self.bytes += len(text.encode())
        return len(text)


def _peak_kb() -> int:
    """The most memory that this process has had. `ru_maxrss` would count its parent's as well, since it was forked."""
    lines = Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def main(kind: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    printed = Counting()
    sys.stdout = printed
    handler: Any = importlib.import_module(f"stepfast.functions.{kind}").handler
    for line in sys.stdin:
        event, before = json.loads(line), printed.bytes
        cpu = time.process_time()
        answer = handler(event, Context())
        spent = time.process_time() - cpu
        reply = {"cpu": spent, "log_bytes": printed.bytes - before, "answer": answer, "peak_kb": _peak_kb()}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
