"""In front of AWS, played by moto: keys with scopes, checked by the real authorizer, serve each caller as they are."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from stepfast import Client as StepfastClient
from stepfast.client import NotAllowed
from tests.browser import cloud_site
from tests.integrations.mcp.talking import Connections, Talk, environment, text_of
from tests.waiting import until

pytestmark = pytest.mark.slow

WORKFLOW = """
from stepfast import step, workflow

@step
def double(number: int) -> int:
    return 2 * number

@workflow("doubling")
async def doubling(number: int) -> int:
    return await double(number)
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """The URL of a played deployment, a key that may only read, and one that may only run."""
    folder = tmp_path_factory.mktemp("cloud")
    (folder / "doubling.py").write_text(WORKFLOW)
    command = [sys.executable, cloud_site.__file__, str(folder)]
    root = Path(__file__).parents[3]
    with (
        (folder / "errors.txt").open("w") as errors,
        subprocess.Popen(
            command, cwd=root, env=environment(PYTHONPATH=str(root)), text=True, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        try:
            address, reader, runner = process.stdout.readline().split()
            yield address, reader, runner
        finally:
            process.terminate()


ASKED = {"input": 21, "wait_seconds": 60}


def test_each_caller_may_do_what_the_key_says(talk: Talk, cloud: tuple[str, str, str]) -> None:
    url, reader, runner = cloud

    async def with_reader(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"doubling", "stepfast_execution"}
        result = await client.call_tool("doubling", ASKED)
        assert result.is_error
        assert "this needs the scope 'run', and the API key has: read" in text_of(result)

    async def with_runner(client: Client) -> str:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["stepfast_execution"]
        result = await client.call_tool("doubling", ASKED)
        assert not result.is_error, text_of(result)
        assert "was started and goes on; it cannot be shown: this needs the scope 'read'" in text_of(result)
        id: str = result.structured_content["execution_id"]
        shown = await client.call_tool("stepfast_execution", {"execution_id": id})
        assert "this needs the scope 'read'" in text_of(shown)
        return id

    talk(with_reader, key=reader, url=url)
    id = talk(with_runner, key=runner, url=url)

    async def comes_back(client: Client) -> Any:
        return (
            await client.call_tool("stepfast_execution", {"execution_id": id, "wait_seconds": 5})
        ).structured_content

    until(lambda: talk(comes_back, key=reader, url=url)["result"] == 42)


def test_operator_tools_need_the_scope_too(connections: Connections, cloud: tuple[str, str, str]) -> None:
    url, reader, _ = cloud

    async def resumes(client: Client) -> Any:
        return await client.call_tool("stepfast_resume", {"execution_id": "any"})

    result = Talk("stdio", "legacy", connections)(resumes, "--operate", key=reader, url=url)
    assert result.is_error
    assert "this needs the scope 'operate', and the API key has: read" in text_of(result)


def test_the_client_names_the_scope_that_the_key_lacks(cloud: tuple[str, str, str]) -> None:
    url, reader, runner = cloud
    with StepfastClient(url, runner) as stepfast, pytest.raises(NotAllowed) as refused:
        stepfast.workflows()
    assert refused.value.scope == "read"
    with StepfastClient(url, reader) as stepfast, pytest.raises(NotAllowed) as refused:
        stepfast.run("doubling", 1)
    assert refused.value.scope == "run"
    assert pickle.loads(pickle.dumps(refused.value)).scope == "run"
