"""A client that asked for progress is told, while its call waits, what the execution and its steps report."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client

from stepfast import current_step, set_status, signal, step, workflow
from stepfast.engine import step_watch
from tests.http.serving import Api
from tests.integrations.mcp.talking import Talk
from tests.integrations.mcp.workflows import paid

pytestmark = pytest.mark.slow


@step
def load(rows: int) -> str:
    current_step().heartbeat(progress={"rows": rows})
    while not paid.wait(0.05):
        current_step().heartbeat()
    return "loaded"


@workflow("importing")
async def importing() -> str:
    set_status("waits for the file")
    await signal("file")
    set_status({"doing": "loads", "file": "x" * 300})
    return await load(500)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    patched = pytest.MonkeyPatch()
    patched.setattr(step_watch, "PROGRESS_WRITE_SECONDS", 0.0)
    made = Api(tmp_path_factory.mktemp("mcp") / "mcp.db", (importing,))
    yield made
    made.close()
    patched.undo()


def send_file(api: Api, id: str) -> None:
    assert api.ask("POST", f"/v1/executions/{id}/signals/file", {"payload": None}).status in (200, 202)


class Told:
    """The notifications of a call, in the order in which they came."""

    def __init__(self) -> None:
        self.notices: list[tuple[float, float | None, str]] = []

    async def note(self, progress: float, total: float | None, message: str | None) -> None:
        self.notices.append((progress, total, message or ""))

    async def until(self, part: str) -> str:
        while not (found := [message for _, _, message in self.notices if part in message]):
            await asyncio.sleep(0.01)
        return found[0]


def test_a_client_is_told_the_status_and_the_progress_of_steps_while_its_call_waits(talk: Talk, api: Api) -> None:
    id, told = f"by-{talk.transport}", Told()

    async def scenario(client: Client) -> Any:
        arguments = {"execution_id": id, "wait_seconds": 60}
        call = asyncio.create_task(client.call_tool("importing", arguments, progress_callback=told.note))
        assert await told.until("waits for") == f"{id} is RUNNING; waits for the file"
        send_file(api, id)
        message = await told.until("rows")
        assert message.endswith('; load: {"rows": 500}')
        assert '{"doing": "loads"' in message
        assert len(message) < 300  # the status is cut
        assert not call.done()
        paid.set()
        return (await call).structured_content

    state = talk(scenario)
    assert state["status"] == "SUCCEEDED"
    times = [progress for progress, _, _ in told.notices]
    assert times == sorted(set(times))  # the protocol asks for numbers that grow
    assert {total for _, total, _ in told.notices} == {60.0}


def test_a_call_without_a_callback_is_told_nothing_and_a_status_tool_can_wait_too(talk: Talk, api: Api) -> None:
    id, told = f"later-by-{talk.transport}", Told()
    paid.set()

    async def scenario(client: Client) -> Any:
        started = await client.call_tool("importing", {"execution_id": id, "wait_seconds": 0.2})
        assert started.structured_content["status"] == "RUNNING"
        arguments = {"execution_id": id, "wait_seconds": 60}
        call = asyncio.create_task(client.call_tool("stepfast_execution", arguments, progress_callback=told.note))
        assert await told.until("RUNNING") == f"{id} is RUNNING; waits for the file"
        send_file(api, id)
        return (await call).structured_content

    assert talk(scenario)["result"] == "loaded"
