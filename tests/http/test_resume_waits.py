"""What a resume says of attempts that were begun before it and still run."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from stepfast import Retry, step, workflow
from tests.waiting import until

begun, go, mended = threading.Event(), threading.Event(), threading.Event()


@step(retry=Retry(max_attempts=1))
async def bad() -> int:
    if not mended.is_set():
        await asyncio.to_thread(begun.wait, 30)
        raise ValueError("bad")
    return 1


@step(timeout=600)
def transfer() -> int:
    begun.set()
    go.wait(60)
    return 2


@workflow("beside")
async def beside() -> list[int]:
    return list(await asyncio.gather(bad(), transfer()))


def command(api: Any, name: str) -> Any:
    return next(command for command in api.get("/v1/executions/one")["commands"] if command["name"] == name)


def test_a_resume_names_what_still_runs_and_until_when_it_is_waited_for(serve: Any) -> None:
    for event in (begun, go, mended):
        event.clear()
    api = serve(beside)
    api.start("beside")
    api.ends("FAILED")
    mended.set()
    resumed = api.ask("POST", "/v1/executions/one/resume").body
    try:
        [wait] = resumed["waits"]
        assert (wait["command"], wait["attempt"]) == ("transfer", 1)
        shown = command(api, "transfer")
        assert (shown["status"], shown["held_until"]) == ("RUNNING", wait["until"])
        assert wait["until"] > shown["started_at"]
    finally:
        go.set()
    api.ends()
    until(lambda: command(api, "transfer")["status"] == "SUCCEEDED")
    assert (command(api, "transfer")["attempt"], command(api, "transfer")["held_until"]) == (1, None)
    assert api.get("/v1/executions/one")["result"] == [1, 2]
