"""Who owns a file: one Runtime of one process, until that ends; processes forked by steps change nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from stepfast.backends.sqlite.owner import DatabaseLock
from stepfast.errors import StartupError

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="forks"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
TRY = """
import sys
from pathlib import Path
from stepfast.backends.sqlite.owner import DatabaseLock
from stepfast.errors import StartupError
try:
    DatabaseLock(Path(sys.argv[1])).acquire()
except StartupError:
    print("refused")
else:
    print("taken", flush=True)
    sys.stdin.readline()
"""


def another(path: Path) -> str:
    """What another process says that tries to own the file."""
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(path)], input="\n", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@contextmanager
def forked() -> Iterator[int]:
    """A child that does nothing."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


def test_one_at_a_time_here_and_elsewhere(path: Path) -> None:
    owner = DatabaseLock(path)
    owner.acquire()
    for _ in range(2):  # the refused one must not give the lock away
        with pytest.raises(StartupError, match="in use by another stepfast.*--db"):
            DatabaseLock(path).acquire()
        assert another(path) == "refused"
    owner.release()
    owner.release()
    assert another(path) == "taken"
    DatabaseLock(path).acquire()


def test_a_child_does_not_keep_the_file_after_its_parent_gave_it_back(path: Path) -> None:
    owner = DatabaseLock(path)
    owner.acquire()
    with forked():
        owner.release()
        assert another(path) == "taken"


def test_a_child_that_ends_does_not_give_its_parents_file_back(path: Path) -> None:
    owner = DatabaseLock(path)
    owner.acquire()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=owner.release)
    child.start()
    child.join()
    assert another(path) == "refused"
    owner.release()


def test_a_process_that_is_killed_gives_the_file_back(path: Path) -> None:
    command = [sys.executable, "-c", TRY, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        with pytest.raises(StartupError):
            DatabaseLock(path).acquire()
        other.kill()
        other.wait()
    owner = DatabaseLock(path)
    owner.acquire()
    owner.release()


def _double(number: int) -> int:
    return 2 * number


def double_in_a_process(number: int) -> int:
    """What a step does that computes in another process."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_double, number).result()
