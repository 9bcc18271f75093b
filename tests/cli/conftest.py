"""The command line in this process, against the real API over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stepfast import Retry, signal, step, workflow
from stepfast.cli.app import app
from tests.http.serving import Api, served

mended = threading.Event()
NASTY = "[red]x[/red] :smile: \x1b[31mred\x07 \u202egnp.exe"


@step(retry=Retry(max_attempts=2, initial=0.01, jitter="none"))
def fragile(name: str) -> str:
    if not mended.is_set():
        raise ConnectionError(f"no [bold]way[/bold] to {name}\x1b[2J\nsecond line")
    return f"Hello {name}"


@workflow("fragile-flow")
async def fragile_flow(name: str) -> str:
    return await fragile(name)


@step
def measured() -> int:
    return 5 if mended.is_set() else 0


@workflow("divided")
async def divided() -> int:
    return 35 // await measured()


@workflow("echo")
async def echo(value: Any) -> Any:
    return value


@workflow("wait-for")
async def wait_for() -> Any:
    return await signal("go", int)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    mended.clear()
    made = Api(tmp_path / "test.db", (fragile_flow, echo, wait_for, divided), (fragile, measured))
    yield made
    made.close()


@pytest.fixture
def failed(api: Api) -> Api:
    """The API with a FAILED execution `one`."""
    api.start("fragile-flow", "Ann")
    api.ends("FAILED")
    return api


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    with served(api.handler) as address:
        yield address


@pytest.fixture
def cli(url: str) -> Callable[..., Result]:
    """Runs a command; `code` is the exit code it must have."""

    def run(*args: str, code: int = 0, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, [*args], input=input, env={"STEPFAST_URL": url, "STEPFAST_API_KEY": None})
        assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
        if code:
            assert "Traceback" not in result.stderr
        return result

    return run
