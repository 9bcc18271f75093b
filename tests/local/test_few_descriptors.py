"""A process without free file descriptors goes on where it can, says so in one line, and recovers when it has some."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stepfast.replay.asyncio_internals import QuickLoop
from stepfast.replay.new_loops import complete_loop

unix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of descriptors")

CALLERS = """
import logging, os, resource, sys, threading
sys.path[:0] = [{root!r}]
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
logging.basicConfig(level=logging.WARNING)
from pathlib import Path
from stepfast import step, workflow
from stepfast.errors import Unavailable
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from tests.waiting import until

@step
def add(number: int) -> int:
    return number + 1

@workflow("adding")
async def adding(number: int) -> int:
    return await add(number)

def in_threads(act, count=20):
    outcomes, begun = [], threading.Barrier(count)
    def one(number):
        begun.wait()
        try:
            outcomes.append(act(number))
        except Unavailable as error:
            outcomes.append(str(error))
    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return outcomes

def exhausted(left):
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    for _ in range(left):
        os.close(taken.pop())
    return taken

with Runtime(Registry([adding]), Path({db!r}), workers=2) as runtime:
    ops = runtime.operations
    start = lambda number: runtime.call(ops.start("adding", number, f"id-{{number}}")).created
    start(20)
    until(lambda: runtime.call(ops.read("id-20")).status == "SUCCEEDED")
    taken = exhausted(left=2)
    print("few", sorted(set(in_threads(start))))
    print("ended", until(lambda: all(runtime.call(ops.read(f"id-{{n}}")).status == "SUCCEEDED" for n in range(20))))
    file = runtime._backend._file
    taken += exhausted(left=1)
    known = len(file._connections)
    answers = in_threads(lambda number: file.all_rows("SELECT 1", ()), 5)
    print("read", sorted(set(map(str, answers))))
    print("left behind", len(file._connections) - known - answers.count([(1,)]))
    [os.close(descriptor) for descriptor in taken]
    print("again", in_threads(lambda number: runtime.call(ops.read(f"id-{{number}}")).status, 3))
"""


@unix_only
def test_without_descriptors_calls_share_a_loop_and_leave_nothing_open(tmp_path: Path) -> None:
    code = CALLERS.format(root=os.getcwd(), db=str(tmp_path / "dev.db"))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "few [True]" in ran.stdout
    assert "ended True" in ran.stdout
    assert "left behind 0" in ran.stdout
    assert "again ['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']" in ran.stdout
    assert "the database cannot be read: no file descriptor is left" in ran.stdout
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("few file descriptors are left") == 1
    assert len(ran.stderr.splitlines()) == 1, ran.stderr


@unix_only
@pytest.mark.parametrize("make", [asyncio.new_event_loop, QuickLoop])
def test_a_loop_that_cannot_be_made_raises_and_prints_nothing(
    make: type[QuickLoop], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def none_left() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", none_left)
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    with pytest.raises(OSError, match="Too many open files"):
        complete_loop(make)
    gc.collect()
    assert capfd.readouterr().err == ""
