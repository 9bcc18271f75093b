"""A step of a test that calls a stepfast.Client: it says within seconds that nothing serves, in both kits."""

import socket
from typing import Any

import pytest

from stepfast import Client, Retry, step, workflow
from stepfast.client.problems import Unreachable
from stepfast.client.unserved import NoServer
from stepfast.testing import Environment, MotoCloud, step_context

HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@step(retry=Retry(max_attempts=None))
def starts_another(url: str) -> str:
    with Client(url, api_key="k") as client:
        return client.run("other").execution_id


@step(retry=Retry(max_attempts=20))
async def waits_for_another(url: str) -> Any:
    with Client(url) as client:
        return client.execution("other").result(timeout=300)


@workflow("parent")
async def parent(url: str) -> str:
    return await starts_another(url)


@workflow("waiting-parent")
async def waiting_parent(url: str) -> Any:
    return await waits_for_another(url)


@pytest.mark.timeout(100)  # a client by itself waits for minutes
@HOMES
@pytest.mark.parametrize("flow", [parent, waiting_parent])
@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_step_fails_at_once_and_says_that_nothing_serves(home: Any, flow: Any, host: str) -> None:
    url = f"http://{host}:{free_port()}"
    with home(flow) as env:
        run = env.run(flow, url)
        assert run.error is not None
        assert run.error.type == "NoServer"
        assert f"no server answers at {url}" in run.error.message
        assert "fake the step with env.fake(…), or start a server" in run.error.message
        assert len(run.steps) == 1


def test_so_does_a_step_by_itself() -> None:
    with step_context(starts_another), pytest.raises(NoServer):
        starts_another.function(f"http://127.0.0.1:{free_port()}")


def test_elsewhere_a_client_waits_as_long_as_it_was_told() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", retry_for=0.2) as client, pytest.raises(Unreachable):
        client.health()
