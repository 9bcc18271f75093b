"""Lambda's side of the runtime API: one sandbox that is handed events, as the real one is."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.e2e.emulator import PYTHON

RUNTIME = PYTHON.parents[1] / "runtime"
"""Where awslambdaric is, with nothing else beside it."""
PATIENCE = 120.0
START = "import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]; sys.argv[1:] = sys.argv[3:]; "
START += "from awslambdaric.__main__ import main; main(sys.argv)"


class Sandbox:
    """Events go in, answers come out: ("response" | "error" | "init/error", its JSON)."""

    def __init__(self) -> None:
        self.events: queue.Queue[Any] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.ready = threading.Event()
        self.ended = threading.Event()

    def call(self, event: Any) -> tuple[str, Any]:
        self.events.put(event)
        return self.answers.get(timeout=PATIENCE)


@contextmanager
def sandbox(
    bundle: Path, handler: str, environment: Mapping[str, str], python: Path = PYTHON, runtime: Path = RUNTIME
) -> Iterator[Sandbox]:
    """Runs a handler of a bundle under awslambdaric; only the bundle and the runtime can be imported."""
    one = Sandbox()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(one))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "test",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "test",
        "AWS_LAMBDA_LOG_STREAM_NAME": "test",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "LAMBDA_TASK_ROOT": str(bundle),
        **environment,
    }
    # Isolated and without site-packages: what is not in the bundle is not there.
    command = [str(python), "-I", "-S", "-B", "-c", START, str(bundle), str(runtime), handler]
    process = subprocess.Popen(command, env=variables, cwd=bundle, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        _await(one, process)
        yield one
    finally:
        one.ended.set()
        process.kill()
        print(process.communicate()[0].decode())  # pytest shows it when the test has failed
        server.shutdown()
        server.server_close()


def _await(one: Sandbox, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while not one.ready.wait(0.1) and one.answers.empty():
        if process.poll() is not None:
            out, _ = process.communicate()
            raise AssertionError(f"the sandbox ended:\n{out.decode()[-3000:]}")
        assert time.monotonic() < until, "the sandbox did not begin"


def _answering(one: Sandbox) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # invocation/next: waits for an event
            one.ready.set()
            while not one.ended.is_set():
                try:
                    event = json.dumps(one.events.get(timeout=0.1)).encode()
                except queue.Empty:
                    continue
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
                # Without it the runtime's client dies.
                self.send_header("Content-Type", "application/json")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 900) * 1000)))
                arn = "arn:aws:lambda:eu-central-1:111122223333:function:test"
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)
                return

        def do_POST(self) -> None:
            body = self._body()
            parts = self.path.rstrip("/").split("/")
            kind = "init/error" if parts[-2:] == ["init", "error"] else parts[-1]
            one.answers.put((kind, json.loads(body)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"]))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *args: Any) -> None:
            pass

    return Answering
