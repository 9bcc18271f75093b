"""Workflows whose steps run in the processes of a pool. The processes import this module, and nothing of pytest.

Steps say where they are by files in the folder that they are given: a process shares nothing else with the test.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from stepfast import GiveUp, Retry, StepFailed, current_step, logger, step, workflow
from stepfast.errors import StepCancelled
from tests.waiting import until

NOW = Retry(max_attempts=2, initial=0.001, jitter="none")


class Refused(Exception):
    """Its constructor takes other arguments than pickle passes it, and it holds what pickle refuses."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.work: Callable[[], None] = lambda: None


class Final(Refused):
    pass


def note(folder: str, name: str, text: str = "") -> None:
    """Makes a file, as a whole."""
    path = Path(folder, name)
    path.with_suffix(".part").write_text(text)
    path.with_suffix(".part").rename(path)


def wait_for(folder: str, name: str) -> None:
    until(Path(folder, name).exists)


def begun(folder: str) -> int:
    """Notes this attempt with the id of its process. Returns the number of the attempt."""
    attempt = current_step().attempt
    note(folder, f"begun-{current_step().step_id.replace('/', '.')}-{attempt}", str(os.getpid()))
    return attempt


@step(pool="cpu")
def where(number: int) -> tuple[int, int]:
    return number, os.getpid()


@step(pool="cpu")
async def where_async(number: int) -> tuple[int, int]:
    return number, os.getpid()


@workflow("places")
async def places() -> list[tuple[int, int]]:
    """Process ids of a step, of one beside an `async` one, and of the `async` one."""
    first = await where(1)
    second, third = await asyncio.gather(where(2), where_async(3))
    return [first, second, third]


@step(pool="cpu")
def meets(folder: str, mine: str, other: str) -> int:
    note(folder, mine)
    wait_for(folder, other)
    return os.getpid()


@workflow("meeting")
async def meeting(folder: str) -> list[int]:
    return list(await asyncio.gather(meets(folder, "a", "b"), meets(folder, "b", "a")))


@step(pool="cpu", retry=NOW)
def dies(folder: str, how: str) -> int:
    """Ends its process at its first attempt."""
    attempt = begun(folder)
    if attempt > 1:
        return attempt
    if how == "exit":
        os._exit(3)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "memory":
        raise MemoryError
    if how == "system-exit":
        sys.exit(4)
    return attempt


@workflow("dying")
async def dying(death: dict[str, str]) -> int:
    return await dies(death["folder"], death["how"])


@step(pool="cpu")
def always_dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@workflow("poison")
async def poison() -> None:
    await always_dies()


@step(pool="cpu", at_most_once=True)
def charges(folder: str) -> None:
    begun(folder)
    os.kill(os.getpid(), signal.SIGKILL)


@workflow("charging")
async def charging(folder: str) -> str:
    try:
        await charges(folder)
    except StepFailed as failed:
        return failed.error_type
    return "charged"


@step(pool="cpu", timeout=600, retry=Retry(max_attempts=1))
def hangs(folder: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    note(folder, "child", str(child.pid))
    note(folder, "pid", str(os.getpid()))
    while True:
        time.sleep(0.01)


@workflow("hanging")
async def hanging(folder: str) -> str:
    try:
        await hangs(folder)
    except StepFailed as failed:
        return f"{failed.error_type}: {failed.message}"
    return "ended"


@step(pool="cpu", timeout=600, heartbeat=600)
def beats(folder: str) -> str:
    """Calls `heartbeat()` until it raises, or until the test says that it may end."""
    begun(folder)
    try:
        while not Path(folder, "release").exists():
            current_step().heartbeat()
            time.sleep(0.002)
    except StepCancelled as stopped:
        note(folder, "stopped", str(stopped))
        raise
    return "released"


@workflow("beating")
async def beating(folder: str) -> str:
    return await beats(folder)


@workflow("bounded")
async def bounded(folder: str) -> str:
    """Takes the step back once it has begun."""
    running = asyncio.create_task(beats(folder))
    await waits(folder)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return await after(folder)


@step(pool="other")
def waits(folder: str) -> None:
    until(lambda: list(Path(folder).glob("begun-*-1")))


@step(pool="other")
def after(folder: str) -> str:
    wait_for(folder, "stopped")
    return Path(folder, "stopped").read_text()


@step(pool="cpu", timeout=600, at_most_once=True)
def pays(folder: str) -> int:
    begun(folder)
    return os.getpid()


@workflow("paying")
async def paying(folder: str) -> int:
    """The chain of the `async` step claims the second step, whether or not a process is free."""
    await where_async(1)
    return await pays(folder)


@step(pool="cpu", timeout=600, heartbeat=0.1, retry=Retry(max_attempts=1))
def silent() -> None:
    while True:
        time.sleep(0.01)


@workflow("silence")
async def silence() -> str:
    try:
        await silent()
    except StepFailed as failed:
        return failed.message
    return "ended"


@step(pool="cpu", retry=Retry(max_attempts=3, initial=0.001, jitter="none", give_up_on=(Final,)))
def raises(kind: str) -> int:
    if kind == "group":
        raise ExceptionGroup("both", [ValueError("a"), GiveUp("b")])
    if kind == "final":
        raise Final(403, reason="closed")
    if kind == "local":

        class Local(Refused):
            pass

        raise Local(500, reason="local")
    if current_step().attempt < 3:
        raise Refused(503, reason="busy")
    return current_step().attempt


@workflow("raising")
async def raising(kind: str) -> int:
    return await raises(kind)


@step(pool="cpu")
def unstorable() -> Any:
    return object()


@workflow("storing")
async def storing() -> Any:
    return await unstorable()


def traced(function: Callable[..., Coroutine[Any, Any, str]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


@step(pool="cpu")
@traced
async def decorated(text: str) -> str:
    await asyncio.sleep(0)
    return text + str(os.getpid())


@step(pool="cpu")
def context(text: str) -> dict[str, Any]:
    mine = current_step()
    logging.getLogger("tests.pool").warning("plain %s", text, extra={"order": {"id": 7}, "odd": Path("x")})
    logger.warning("with fields")
    try:
        raise ValueError("shown")
    except ValueError:
        logging.getLogger("tests.pool").exception("trouble")
    return {
        "execution": mine.execution_id,
        "step": mine.step_id,
        "attempt": mine.attempt,
        "generation": mine.generation,
        "key": mine.idempotency_key,
        "left": mine.deadline_at - time.time(),
    }


@workflow("contexts")
async def contexts() -> list[Any]:
    return [await context("text"), await decorated("async in ")]


def made() -> Any:
    @step(pool="cpu")
    def inner(number: int) -> int:
        return os.getpid()

    return inner


WORKFLOWS = (
    places,
    meeting,
    dying,
    poison,
    charging,
    hanging,
    beating,
    bounded,
    paying,
    silence,
    raising,
    storing,
    contexts,
)
