"""Connections that are slow, idle, rude or too many, at the real web server."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from stepfast.http import listener
from stepfast.http.bodies import MAX_BODY
from stepfast.http.connections import Patience
from stepfast.http.gateway import Pace
from tests.http.serving import served, serving
from tests.waiting import until

QUICK = Patience(idle=1.0, headers=0.4, stuck=0.5, linger=0.5)
HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Handler:
    """Answers with what it was asked; `keys` false refuses everybody before the body."""

    def __init__(self) -> None:
        self.admits = True
        self.hold = threading.Event()
        self.hold.set()
        self.asked: list[Any] = []
        self.body = "{}"

    def __call__(self, event: dict[str, Any], context: object) -> dict[str, Any]:
        self.asked.append(event)
        if event["rawPath"] == "/slow":
            self.hold.wait(20)
        return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": self.body}

    def admit(self, event: dict[str, Any]) -> dict[str, Any] | None:
        return None if self.admits else {"statusCode": 401, "headers": {}, "body": "{}"}


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def url(handler: Handler) -> Iterator[str]:
    with served(handler, patience=QUICK, pace=Pace(grace=0.4)) as address:
        yield address
        handler.hold.set()


def connect(url: str) -> socket.socket:
    parsed = urlsplit(url)
    return socket.create_connection((parsed.hostname, parsed.port), timeout=10)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def answer_of(raw: bytes) -> tuple[int, dict[str, str], Any]:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, json.loads(body)


def test_who_says_nothing_is_given_up(url: str) -> None:
    with connect(url) as silent:
        assert read_all(silent) == b""


def test_who_stays_after_an_answer_is_given_up(url: str) -> None:
    with connect(url) as idle:
        idle.sendall(HEALTH)
        assert read_all(idle).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("begun", [b"GET /v1/health HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n"])
def test_headers_that_do_not_come_to_an_end_are_given_up(url: str, begun: bytes) -> None:
    with connect(url) as slow:
        slow.sendall(begun)
        status, headers, problem = answer_of(read_all(slow))
    assert (status, problem["type"]) == (408, "urn:stepfast:problem:request-timeout")
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"


def test_headers_that_come_byte_by_byte_are_given_up_all_the_same(url: str) -> None:
    with connect(url) as slow:
        for byte in HEALTH * 3:
            try:
                slow.sendall(bytes([byte]))
            except OSError:
                break
            slow.settimeout(0.05)
            try:
                if slow.recv(1):
                    break
            except TimeoutError:
                continue
        else:
            pytest.fail("the server has waited for every byte")


def test_a_body_that_does_not_come_is_given_up(url: str, handler: Handler) -> None:
    with connect(url) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert answer_of(read_all(slow))[0] == 408
    assert handler.asked == []


def test_who_does_not_take_the_answer_is_given_up(handler: Handler) -> None:
    handler.body = json.dumps("x" * 30_000_000)
    with serving(handler, patience=QUICK) as server, connect(f"http://127.0.0.1:{server.port}") as stuck:
        stuck.sendall(HEALTH.replace(b"/v1/health", b"/large"))
        until(lambda: handler.asked)
        until(lambda: not server.server_state.connections)
        taken = 0
        try:
            while part := stuck.recv(1_000_000):
                taken += len(part)
        except ConnectionResetError:
            pass
    assert taken < 30_000_000


def test_without_a_key_no_body_is_taken(url: str, handler: Handler) -> None:
    handler.admits = False
    with connect(url) as rude:
        rude.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n")
        assert answer_of(read_all(rude))[0] == 401


def test_a_refused_client_that_still_sends_can_read_why(url: str, handler: Handler) -> None:
    handler.admits = False
    for _ in range(5):
        assert httpx.post(url, content=b"x" * 2_000_000).status_code == 401


def test_a_client_that_asks_before_it_sends_is_not_asked_for_its_body(url: str, handler: Handler) -> None:
    handler.admits = False
    with connect(url) as polite:
        polite.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        assert b"100 Continue" not in read_all(polite)
    handler.admits = True
    with connect(url) as polite:
        polite.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert b"100 Continue" in polite.recv(1000)
        polite.sendall(b"{}")
        assert polite.recv(1000).startswith(b"HTTP/1.1 200")


def test_chunks_beyond_the_limit_are_refused_while_they_come(url: str, handler: Handler) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with connect(url) as large:
        large.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MAX_BODY // 0x100000 + 1):
            large.sendall(chunk)
        status, _, problem = answer_of(read_all(large))
    assert (status, problem["type"]) == (413, "urn:stepfast:problem:body-too-large")
    assert handler.asked == []


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400),
    ],
)
def test_every_refusal_of_the_server_itself_is_a_problem(
    url: str, handler: Handler, request_bytes: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(url) as rude:
        rude.sendall(request_bytes)
        answered, headers, problem = answer_of(read_all(rude))
    assert (answered, problem["status"]) == (status, status)
    assert headers["content-type"] == "application/problem+json"
    assert problem["type"].startswith("urn:stepfast:problem:")
    assert handler.asked == []
    assert not caplog.records, "rubbish must not fill the log"


def test_a_client_that_ends_its_side_gets_its_answer(url: str) -> None:
    with connect(url) as half:
        half.sendall(HEALTH)
        half.shutdown(socket.SHUT_WR)
        assert read_all(half).startswith(b"HTTP/1.1 200")


def test_reads_and_health_do_not_wait_behind_writes(url: str, handler: Handler) -> None:
    handler.hold.clear()
    with ExitStack() as open_ones:
        for _ in range(40):
            slow = open_ones.enter_context(connect(url))
            slow.sendall(b"POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        for path in ("/v1/health", "/v1/executions"):
            assert httpx.get(url + path, timeout=10).status_code == 200
        handler.hold.set()


# -- too many of them -----------------------------------------------------------------------------------------


def test_where_there_is_no_room_idle_ones_make_it(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 20)
    with served(handler, patience=Patience()) as url, ExitStack() as open_ones:
        idle = [open_ones.enter_context(connect(url)) for _ in range(60)]
        for number in range(30):
            assert httpx.get(url).status_code == 200, number
        assert read_all(idle[0]) == b"", "the one that has waited longest is given up first"


def test_where_all_are_at_work_others_are_told_so_in_one_line(
    handler: Handler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 10)
    handler.hold.clear()
    with served(handler) as url, ExitStack() as open_ones, caplog.at_level(logging.WARNING):
        for _ in range(10):
            slow = open_ones.enter_context(connect(url))
            slow.sendall(b"POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        until = time.monotonic() + 60
        refused: list[bytes] = []
        while len(refused) < 5 and time.monotonic() < until:
            with connect(url) as other:
                other.sendall(HEALTH)
                raw = read_all(other) if len(handler.asked) >= 6 else b""
            refused += [raw] if raw.startswith(b"HTTP/1.1 503") else []
        assert len(refused) == 5
        assert answer_of(refused[0])[2]["type"] == "urn:stepfast:problem:unavailable"
        handler.hold.set()
    assert [record.getMessage() for record in caplog.records] == ["10 connections are at work: others are refused"]


EXHAUSTED = """
import logging, resource, sys, time, threading
sys.path[:0] = [{path!r}]
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
logging.basicConfig(level=logging.INFO)
from tests.http.test_connections import Handler, served
from stepfast.http import server
server.room = lambda: 1000  # so that descriptors run out before the places do
with served(Handler()) as url:
    print(url, flush=True)
    begun = time.process_time()
    sys.stdin.read()
    print(time.process_time() - begun, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of descriptors")
def test_without_descriptors_it_gives_up_who_waits_and_says_so_in_one_line() -> None:
    code = EXHAUSTED.format(path=os.getcwd())
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    with ExitStack() as open_ones:
        for _ in range(80):
            open_ones.enter_context(connect(url))
        begun = time.monotonic()
        for _ in range(10):
            assert httpx.get(url, timeout=20).status_code in (200, 503)
        time.sleep(max(0.0, 2 - (time.monotonic() - begun)))  # a loop that spins would use a processor all the while
        out, errors = process.communicate("", timeout=30)
    assert errors.count("no file descriptor is left") == 1, errors
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == 1, errors
    assert float(out.split()[-1]) < 1.5
