"""Webhooks of the runtime, to a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stepfast
from stepfast import GiveUp, step, workflow
from stepfast.deployment.event_settings import WebhookSettings
from stepfast.engine.webhook_deliverer import PostAnswer, PostFailed
from stepfast.engine.webhooks import Backlog, Webhook
from stepfast.errors import StartupError
from stepfast.local.webhook_sender import WebhookSender, is_public
from stepfast.webhook_signing import event_id_in, headers_for
from tests.local.conftest import Embedded
from tests.local.dev_process import Dev
from tests.waiting import until

KEYS = (b"k" * 24,)
SECRET = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tr"


class Receiver:
    """A server that keeps what it was sent, and answers with a status."""

    def __init__(self) -> None:
        self.status, self.headers, self.got = 204, dict[str, str](), list[tuple[dict[str, str], bytes]]()
        self.paths: list[str] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.paths.append(self.path)
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=b"

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def hook(receiver: Receiver) -> Webhook:
    return Webhook("ops", receiver.url, KEYS, allow_private=True)


@step
def charge(card: str) -> int:
    raise GiveUp(f"card {card} was declined")


@workflow("pay")
async def pay(card: str) -> int:
    return await charge(card)


def test_changes_reach_a_receiver_signed_and_without_values(
    embedded: Any, receiver: Receiver, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    made: Embedded = embedded(pay, webhooks=[hook])
    made.start("pay", "4000 1234")
    until(lambda: len(receiver.got) == 2)
    for headers, body in receiver.got:
        stamp = float(headers["webhook-timestamp"])
        assert event_id_in("standard", KEYS, headers, body, stamp, 1) == headers["webhook-id"]
        assert headers["content-type"] == "application/json"
        assert b"4000" not in body
    assert receiver.types() == ["execution.started", "execution.failed"]
    assert json.loads(receiver.got[1][1])["data"]["error"] == {"type": "GiveUp", "step": "charge"}
    assert set(receiver.paths) == {"/hook?a=b"}
    made.resume()
    until(lambda: len(receiver.got) == 4)
    assert receiver.types()[2:] == ["execution.resumed", "execution.failed"]
    assert "4000" not in caplog.text


def test_a_receiver_that_is_down_holds_up_no_execution_and_another_process_delivers(
    embedded: Any, receiver: Receiver, hook: Webhook
) -> None:
    with socket.socket() as nobody:  # bound, and not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        made: Embedded = embedded(pay, webhooks=[replace(hook, url=url)])
        made.run("pay", "4000", "one")

        def backlog() -> Backlog | None:
            now = made.runtime.call(made.operations.webhooks.describe("ops")).backlog
            return now if now.reason and now.pending == 2 else None

        waiting = until(backlog)
        assert (waiting.pending, waiting.dead) == (2, 0)
        assert "no connection" in waiting.reason
    backend: Any = made.runtime._backend
    backend._file.post_row("UPDATE webhook_deliveries SET due = 0", ())
    backend.flush()
    made.options["webhooks"] = [hook]
    made.reopen()
    until(lambda: len(receiver.got) == 2)
    assert receiver.types() == ["execution.started", "execution.failed"]


def test_without_webhooks_nothing_is_recorded(embedded: Any) -> None:
    made: Embedded = embedded(pay)
    made.run("pay", "4000")
    backend: Any = made.runtime._backend
    assert backend._file.row("SELECT count(*) FROM status_changes", ()) == (0,)


# -- what is posted, and to whom -----------------------------------------------------------------------------------


def post(hook: Webhook, sender: WebhookSender | None = None) -> PostAnswer:
    headers = headers_for(hook.keys, "evt_1", 1000, b"{}")
    return asyncio.run((sender or WebhookSender())(hook, headers, b"{}"))


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
        ),
        *("::1", "::", "fe80::1%eth0", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"),
        *("2002:7f00:1::", "224.0.0.1", "ff02::1", "192.0.2.1", "255.255.255.255"),
    ],
)
def test_an_address_that_is_not_of_the_internet_is_never_connected_to(address: str, hook: Webhook) -> None:
    async def look_up(host: str, port: int) -> Sequence[str]:
        return [address]

    assert not is_public(address)
    public = replace(hook, url="https://receiver.example/hook", allow_private=False)
    with pytest.raises(PostFailed, match="no public address"):
        post(public, WebhookSender(look_up=look_up))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_the_name_is_looked_up_once_so_that_its_address_cannot_change_in_between(
    receiver: Receiver, hook: Webhook
) -> None:
    asked = []

    async def look_up(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    named = replace(hook, url=receiver.url.replace("127.0.0.1", "receiver.example"))
    assert post(named, WebhookSender(look_up=look_up)).status == 204
    assert asked == ["receiver.example"]
    assert receiver.got[0][0]["host"].startswith("receiver.example:")
    with pytest.raises(PostFailed, match="no public address"):
        post(replace(named, allow_private=False), WebhookSender(look_up=look_up))
    assert len(receiver.got) == 1


def test_a_redirect_is_not_followed(receiver: Receiver, hook: Webhook) -> None:
    receiver.status, receiver.headers = 307, {"Location": f"{receiver.url}/elsewhere"}
    assert post(hook) == PostAnswer(307)
    assert len(receiver.got) == 1


def test_a_receiver_can_ask_for_time(receiver: Receiver, hook: Webhook) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "120"}
    assert post(hook) == PostAnswer(429, 120.0)
    receiver.headers = {"Retry-After": "soon"}
    assert post(hook) == PostAnswer(429)


@contextmanager
def speaking(answer: bytes) -> Iterator[int]:
    """A server that says this to whoever connects, and then nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        open: list[socket.socket] = []

        def serve() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    open.append(connection)
                    connection.sendall(answer)
                    if answer:
                        connection.recv(65536)
                        connection.shutdown(socket.SHUT_WR)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in open:
            connection.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "no answer within"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "did not answer as HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, "did not answer as HTTP"),
        (b"HTTP/1.1 102 Wait\r\n\r\n", "without an answer"),
    ],
)
def test_whatever_a_receiver_says_is_a_reason_of_ours(hook: Webhook, answer: bytes, reason: str) -> None:
    with speaking(answer) as port, pytest.raises(PostFailed, match=reason):
        post(replace(hook, url=f"http://127.0.0.1:{port}/"), WebhookSender(seconds=0.5))


def test_a_certificate_that_nobody_vouches_for_is_refused(receiver: Receiver, hook: Webhook) -> None:
    with speaking(b"HTTP/1.1 200 OK\r\n\r\n") as port, pytest.raises(PostFailed, match="TLS failed"):
        post(replace(hook, url=f"https://127.0.0.1:{port}/"), WebhookSender(ssl.create_default_context()))


def test_an_application_has_webhooks_too(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_SECRET", SECRET)
    hooks = {"ops": WebhookSettings(receiver.url, "OPS_SECRET", allow_private=True)}

    async def run() -> None:
        async with stepfast.Embedded(tmp_path / "app.db", [pay], webhooks=hooks) as engine:
            await engine.start(pay, "4000")
            await asyncio.to_thread(until, lambda: len(receiver.got) == 2)

    asyncio.run(run())
    assert receiver.types() == ["execution.started", "execution.failed"]
    with pytest.raises(StartupError, match="begins with https"):
        stepfast.Embedded(tmp_path / "app.db", [pay], webhooks={"ops": WebhookSettings(receiver.url, "OPS_SECRET")})


# -- stepfast dev --------------------------------------------------------------------------------------------------

PROJECT = """
[tool.stepfast.webhooks.ops]
url = "{url}"
secret = "OPS_SECRET"
allow_private = true

[tool.stepfast.inbound.shop]
workflow = "quick"
secret = "{folder}/shop.secret"
"""
CODE = """
from typing import Any
from stepfast import workflow

@workflow("quick")
async def quick(data: Any) -> Any:
    return data
"""


def test_a_killed_server_delivers_what_it_has_recorded_and_takes_an_event_once(
    tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "quick.py").write_text(CODE)
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(url=receiver.url, folder=tmp_path))
    (tmp_path / "shop.secret").write_text(SECRET + "\n")
    receiver.status = 500
    body = b'{"data": 7}'
    dev = Dev(tmp_path, OPS_SECRET=SECRET).start()
    try:
        assert dev.ready, dev.end()[1]
        headers = headers_for(KEYS, "msg_1", int(time.time()), body)
        assert dev.http.post("/v1/inbound/shop", content=body, headers=headers).status_code == 202
        until(lambda: receiver.got)
        dev.kill()
        receiver.status = 204
        before = len(receiver.got)
        dev.start()
        assert dev.http.post("/v1/inbound/shop", content=body, headers=headers).json()["created"] is False
        until(lambda: len(receiver.got) > before and "execution.succeeded" in receiver.types()[before:])
        taken = [headers["webhook-id"] for headers, _ in receiver.got[before:]]
        assert len(set(taken)) == 2
    finally:
        dev.end()
        dev.http.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('webhooks.a]\nurl = "https://x.example"', "[tool.stepfast.webhooks.a] has no secret"),
        ('webhooks.a]\nurl = "http://x.example"\nsecret = "S"', "begins with https://"),
        ('webhooks.a]\nurl = "https://me@x.example"\nsecret = "S"', "without a user"),
        ('webhooks.a]\nurl = "https://x.example:99999"\nsecret = "S"', "url is an address"),
        ('webhooks.a]\nurl = "https://x.example/a b"\nsecret = "S"', "url is an address"),
        ('webhooks.a]\nurl = "https://x.example"\nsecret = "whsec_abc"', "never the secret itself"),
        ('webhooks.a]\nurl = "https://x.example"\nsecret = "S"\nstatuses = ["DONE"]', "'DONE' is none"),
        ('webhooks.a]\nurl = "https://x.example"\nsecret = "S"\nworkflows = "w"', "workflows is a list of texts"),
        ('webhooks.a]\nurl = "https://x.example"\nsecret = "S"\ntimeout = 1', "has no setting 'timeout'"),
        ('webhooks."a.b"]\nurl = "https://x.example"\nsecret = "S"', "a name is 1 to 60"),
        ('inbound.a]\nworkflow = "w"', "neither a secret"),
        ('inbound.a]\nsecret = "S"', "has no workflow"),
        ('inbound.a]\nworkflow = "w"\nsecret = "S"\nscheme = "slack"', "scheme is one of"),
        ('inbound.a]\nworkflow = "w"\nsecret = "S"\ntolerance = 0', "tolerance is a number"),
    ],
)
def test_settings_that_are_wrong_are_named(tmp_path: Path, settings: str, said: str) -> None:
    from stepfast.deployment.project import Project

    (tmp_path / "pyproject.toml").write_text(f"[tool.stepfast.{settings}\n")
    with pytest.raises(StartupError) as refused:
        Project.read(tmp_path)
    assert said in str(refused.value)


def test_a_secret_that_is_not_there_is_named_and_not_shown(tmp_path: Path) -> None:
    from stepfast.deployment.event_settings import webhooks_of

    with pytest.raises(StartupError, match="environment variable OPS is not set"):
        webhooks_of({"a": WebhookSettings("https://x.example", "OPS")}, {})
    with pytest.raises(StartupError) as refused:
        webhooks_of({"a": WebhookSettings("https://x.example", "OPS")}, {"OPS": "hunter2"})
    assert "hunter2" not in str(refused.value)
    with pytest.raises(StartupError, match="cannot be read"):
        webhooks_of({"a": WebhookSettings("https://x.example", f"{tmp_path}/none")}, {})
