"""Who gets in: the gateway's authorizer, and the scopes of a key."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from stepfast.http.page import BUILT, DashboardPage
from tests.e2e.conftest import Deployed, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def ask(deployed: Deployed, key: str | None, method: str = "GET", path: str = "/v1/executions") -> httpx.Response:
    with deployed.emulator.http(deployed.outputs, key) as http:
        return http.request(method, path, json={} if method == "POST" else None)


def test_health_needs_no_key_and_tells_nothing(deployed: Deployed) -> None:
    answer = ask(deployed, None, path="/v1/health")
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "version"}


@pytest.mark.skipif(not DashboardPage().is_built, reason="the page is not built: make dashboard")
def test_the_page_needs_no_key_and_comes_whole(deployed: Deployed) -> None:
    page = ask(deployed, None, path="/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.text)
    assert {Path(one).suffix for one in files} == {".js", ".css", ".svg"}
    for one in files:
        assert ask(deployed, None, path=f"/{one}").content == (BUILT / one).read_bytes()


@pytest.mark.parametrize("path", ["/v1/executions", "/v1/workflows", "/openapi.json", "/assets", "/v1/nothing"])
def test_without_a_key_nothing_else_answers(deployed: Deployed, path: str) -> None:
    assert ask(deployed, None, path=path).status_code in (401, 403)


@pytest.mark.parametrize("key", ["wrong", "sf_0123456789abcdef_" + "A" * 43, "sf_", "Bearer", "'; drop table"])
def test_a_wrong_key_is_refused(deployed: Deployed, key: str) -> None:
    assert ask(deployed, key).status_code in (401, 403)


def test_a_key_with_the_right_id_and_another_secret_is_refused(deployed: Deployed) -> None:
    right = deployed.key()
    assert ask(deployed, right).status_code == 200
    assert ask(deployed, right[:-1] + ("A" if right[-1] != "A" else "B")).status_code in (401, 403)


def test_a_key_that_has_expired_is_refused(deployed: Deployed) -> None:
    until = time.time() + 2
    key = deployed.key("read", until=until)

    def refused() -> bool:
        asked = time.time()
        answer = ask(deployed, key)
        if answer.status_code == 200:
            assert asked < until, "the key worked after its time"
            return False
        assert answer.status_code in (401, 403)
        assert time.time() >= until, "the key did not work until its time"
        return True

    eventually(refused, "the key to expire")


def test_a_key_may_do_what_its_scopes_say_and_is_told_what_is_missing(deployed: Deployed) -> None:
    reader, runner = deployed.key("read"), deployed.key("run")
    for key, method, path, scope in (
        (reader, "POST", "/v1/workflows/count/executions", "run"),
        (reader, "POST", "/v1/executions/any/cancel", "operate"),
        (runner, "POST", "/v1/executions/any/resume", "operate"),
        (runner, "GET", "/v1/executions", "read"),
    ):
        answer = ask(deployed, key, method, path)
        assert answer.status_code == 403, (method, path)
        assert repr(scope) in answer.json()["detail"]


def test_what_a_step_must_not_do_is_refused(deployed: Deployed) -> None:
    found = deployed.run("trespass", deployed.outputs["TableName"], "trespass-1")["result"]
    assert found.pop("read an execution") == "done"
    assert {name: "Denied" in code for name, code in found.items()} == dict.fromkeys(found, True), found


def test_keys_are_made_listed_and_revoked_from_the_command_line(deployed: Deployed) -> None:
    table = deployed.outputs["TableName"]

    def keys(*arguments: str) -> str:
        stepfast = str(Path(sys.executable).with_name("stepfast"))
        command = [stepfast, "keys", *arguments, "--table", table]
        done = subprocess.run(command, env=deployed.emulator.environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    key = keys("create", "ci", "--scope", "read")
    assert ask(deployed, key).status_code == 200
    assert key.split("_", 2)[2] not in keys("list", "--json")
    keys("revoke", key.split("_")[1])
    assert ask(deployed, key).status_code in (401, 403)
