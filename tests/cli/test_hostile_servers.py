"""What answers may be anything: each command ends with one line, and the client with an exception of its own."""

from __future__ import annotations

import copy
import gzip
import json
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.main import get_command

from stepfast import Client
from stepfast.cli.app import app
from stepfast.client import Unreachable
from stepfast.errors import Refused, StepfastError

MOMENT = "2026-11-27T00:00:00.000000Z"
ERROR = {"type": "KeyError", "message": "x", "step": "work", "traceback": None}
EXECUTION: dict[str, Any] = {
    "execution_id": "one",
    "workflow": "w",
    "status": "FAILED",
    "input": 1,
    "result": None,
    "error": ERROR,
    "labels": {"team": "a"},
    "created_at": MOMENT,
    "ended_at": MOMENT,
    "generation": 1,
}
ATTEMPT = {"attempt": 1, "started_at": MOMENT, "ended_at": MOMENT, "error": ERROR, "next_at": MOMENT}
COMMAND = {
    "id": "work",
    "kind": "step",
    "name": "work",
    "status": "FAILED",
    "attempt": 2,
    "error": ERROR,
    "first_at": MOMENT,
    "started_at": MOMENT,
    "ended_at": MOMENT,
    "due": MOMENT,
    "attempts": [ATTEMPT],
}
LETTER = {"execution_id": "one", "workflow": "w", "step": "work", "error": ERROR, "ended_at": MOMENT}
GROUP = {"workflow": "w", "step": "s", "error": "E", "count": 2, "again": 1, "newest": MOMENT, "execution_id": "one"}
HEALTH = {"status": "ok", "version": "1"}
JOB = {
    "job_id": "j",
    "action": "resume",
    "seen": 1,
    "done": 1,
    "skipped": 0,
    "failed": 0,
    "total": 1,
    "outcomes": [{"execution_id": "one", "outcome": "done", "reason": None}],
    "next": None,
}
COMMANDS: dict[str, tuple[list[str], Any]] = {
    "run": (["run", "w", "1", "--id", "one"], EXECUTION),
    "list": (["list"], {"executions": [EXECUTION], "next": None}),
    "show": (["show", "one", "--traceback"], {**EXECUTION, "commands": [COMMAND]}),
    "watch": (["watch", "one", "--timeout", "0"], {**EXECUTION, "commands": [COMMAND]}),
    "resume": (["resume", "one"], EXECUTION),
    "cancel": (["cancel", "one"], EXECUTION),
    "signal": (["signal", "one", "s", "1"], {"signal_id": "a", "name": "s", "payload": 1, "received_at": MOMENT}),
    "dead letters": (["dead-letters", "list"], {"dead_letters": [LETTER], "next": None}),
    "groups": (["dead-letters", "groups"], {"groups": [GROUP], "complete": True}),
    "replay": (["dead-letters", "replay", "one"], {**HEALTH, **JOB, "status": "SUCCEEDED"}),
}


class Server:
    """Answers everything alike."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, b"{}", dict[str, str]()
        self.url = ""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(server.status)
            for name, value in {"Content-Length": str(len(server.body)), **server.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(server.body)
            except OSError:
                pass  # the client has had enough

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    made = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield server
    made.shutdown()
    thread.join()
    made.server_close()


COMMAND_LINE = get_command(app)


def ends_in_one_line(server: Server, arguments: list[str]) -> int:
    """The exit code; any exception but SystemExit fails the test, as it would print a traceback."""
    try:
        COMMAND_LINE.main(["--url", server.url, *arguments], prog_name="stepfast")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("name", COMMANDS)
def test_the_answers_here_are_good_ones(server: Server, name: str) -> None:
    arguments, body = COMMANDS[name]
    server.body = json.dumps(body).encode()
    assert ends_in_one_line(server, arguments) == (1 if name == "watch" else 0)


def damages(value: Any) -> Iterator[Callable[[Any], Any]]:
    """Every way to take a part out of a value, or to put something else in its place."""
    for wrong in (None, "nonsense" if isinstance(value, int) else [7]):
        yield lambda _, wrong=wrong: copy.deepcopy(wrong)
    if isinstance(value, dict):
        for key in value:
            yield lambda answer, key=key: {name: part for name, part in answer.items() if name != key}
            for damage in damages(value[key]):
                yield lambda answer, key=key, damage=damage: {**answer, key: damage(answer[key])}
    if isinstance(value, list) and value:
        for damage in damages(value[0]):
            yield lambda answer, damage=damage: [damage(answer[0])]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_damaged_answer_ends_in_a_traceback(server: Server, name: str) -> None:
    arguments, body = COMMANDS[name]
    for damage in damages(body):
        damaged = damage(copy.deepcopy(body))
        server.body = json.dumps(damaged).encode()
        ends_in_one_line(server, arguments)


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"<html>",
        DEEP,
        b'{"type": "urn:stepfast:problem:invalid-request", "errors": 7}',
        b'{"type": "urn:stepfast:problem:invalid-request", "errors": [7, {"field": []}]}',
        b'{"type": 7, "detail": {}}',
        b'{"type": "urn:stepfast:problem:wrong-status", "execution_status": []}',
        b'{"type": "urn:stepfast:problem:x", "detail": ' + DEEP + b"}",
    ],
    ids=range(12),
)
def test_whatever_is_answered_every_command_ends_in_one_line(server: Server, status: int, body: bytes) -> None:
    server.status, server.body = status, body
    for arguments, _ in COMMANDS.values():
        assert ends_in_one_line(server, arguments) != 0


def test_a_value_too_deep_to_be_written_is_said_so(server: Server) -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    server.body = json.dumps({**EXECUTION, "input": deep, "commands": []}).encode()
    ends_in_one_line(server, ["show", "one"])
    ends_in_one_line(server, ["show", "one", "--json"])


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_an_answer_that_grows_beyond_bounds_is_not_read(server: Server, encoding: str) -> None:
    large = b'{"a": "' + b"x" * 60_000_000 + b'"}'
    pack = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[encoding]
    server.body = pack(large)
    server.headers = {"Content-Encoding": encoding}
    tracemalloc.start()
    try:
        client = Client(server.url, retry_for=0, largest_answer=1_000_000)
        with client, pytest.raises(Refused, match="more than 1,000,000 bytes"):
            client.health()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < len(large) / 3


def test_what_is_not_what_it_says_is_no_answer(server: Server) -> None:
    server.headers, server.body = {"Content-Encoding": "gzip"}, b"no gzip"
    with Client(server.url, retry_for=0) as client, pytest.raises(Unreachable):
        client.health()


def test_an_answer_that_drips_is_given_up() -> None:
    stop = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            try:
                while not stop.wait(0.02):
                    self.wfile.write(b" ")
            except OSError:
                pass

        def log_message(self, *_: object) -> None: ...

    made = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    try:
        client = Client(f"http://127.0.0.1:{made.server_port}", timeout=0.3, retry_for=0)
        with client, pytest.raises(Unreachable, match="too long"):
            client.health()
    finally:
        stop.set()
        made.shutdown()
        thread.join()
        made.server_close()


def test_a_replay_that_never_gets_anywhere_ends(server: Server) -> None:
    server.body = json.dumps({"results": [], "next": {"execution_ids": ["one"]}}).encode()
    with Client(server.url, retry_for=0) as client, pytest.raises(StepfastError, match="makes no progress"):
        client.replay_dead_letters(["one"])
