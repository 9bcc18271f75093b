"""The rendering service as a process of its own: figures in, PDF out, nothing kept.

    python -m workflows.quarterly_financial_report.pdf_service --port 8791

POST /render takes Figures as JSON and answers application/pdf with X-Pages; GET /health answers ok.
"""

import argparse
import json
import signal
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NoReturn

from pydantic import ValidationError

from .models import Figures
from .pdf_layout import render

LIMIT = 1_000_000  # bytes of request body; a report's figures are some kilobytes


class Handler(BaseHTTPRequestHandler):
    """One request per connection, errors as problem+json (RFC 9457)."""

    timeout = 5  # seconds a silent client may hold a thread
    server_version = "pdf-service"

    def do_GET(self) -> None:
        """Health only."""
        if self.path != "/health":
            return self._problem(HTTPStatus.NOT_FOUND, f"there is no {self.path}")
        return self._answer(HTTPStatus.OK, "application/json", b'{"status":"ok"}')

    def do_POST(self) -> None:
        """400 says which field is wrong; a repeated request gives the same bytes."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self._problem(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
        if int(length) > LIMIT:
            self._discard(int(length))
            return self._problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LIMIT} bytes")
        body = self.rfile.read(int(length))
        if self.path != "/render":
            return self._problem(HTTPStatus.NOT_FOUND, f"there is no {self.path}")
        try:
            figures = Figures.model_validate_json(body)
        except ValidationError as error:
            return self._problem(HTTPStatus.BAD_REQUEST, _first_error(error))
        data, pages = render(figures)
        return self._answer(HTTPStatus.OK, "application/pdf", data, {"X-Pages": str(pages)})

    def _discard(self, length: int) -> None:
        # A client that is still sending would see a reset instead of the answer.
        left = min(length, 20 * LIMIT)
        while left > 0 and (chunk := self.rfile.read(min(left, 65_536))):
            left -= len(chunk)

    def _problem(self, status: HTTPStatus, detail: str) -> None:
        body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
        self._answer(status, "application/problem+json", json.dumps(body).encode())

    def _answer(self, status: HTTPStatus, kind: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    """Renderings under way are finished before the process ends."""

    daemon_threads = False
    request_queue_size = 64  # The default of 5 would refuse connections of a client that sends some at once.


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "figures"
    return f"{where}: {first['msg']}"


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs until SIGTERM or SIGINT; port 0 takes a free one. Prints its address when ready."""
    parser = argparse.ArgumentParser(description="Render financial reports as PDF over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8791)
    options = parser.parse_args(arguments)
    try:
        server = Server((options.host, options.port), Handler)
    except OSError as error:
        parser.exit(1, f"PDF service cannot start: {error}\n")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    with server:
        print(f"PDF service ready on http://{options.host}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
