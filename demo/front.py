"""What stands in front of the PDF service: it counts the requests, and answers 502 while the service is down."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FORWARDED = ("Content-Type", "X-Pages")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has come. at: of the monotonic clock. served: whether the service was there to answer it."""

    at: float
    served: bool


class Front:
    """Forwards each request to the port of the service, and notes when it came."""

    def __init__(self, port: int) -> None:
        self.requests = list[Request]()
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at, body = time.monotonic(), self.rfile.read(int(self.headers["Content-Length"]))
                answer = _forward(port, self.path, body, self.headers["Content-Type"])
                requests.append(Request(at, answer is not None))
                status, headers, content = answer or (HTTPStatus.BAD_GATEWAY.value, {}, b"")
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: whoever had asked was killed meanwhile."""


def _forward(port: int, path: str, body: bytes, kind: str) -> tuple[int, dict[str, str], bytes] | None:
    """What the service answers; None where it is down."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        response = connection.getresponse()
        headers = {name: value for name in FORWARDED if (value := response.headers[name])}
        return response.status, headers, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def by_period(requests: Sequence[Request], began: float, period: float) -> list[int]:
    """How many requests came in each period, from the moment `began` on to the last of them."""
    counts = Counter(int((request.at - began) // period) for request in requests if request.at >= began)
    return [counts[place] for place in range(max(counts, default=-1) + 1)]
