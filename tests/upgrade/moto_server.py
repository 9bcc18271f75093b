"""moto behind HTTP, for functions in other processes: each request goes to the moto of this process.

moto's own server needs Flask, which nothing else here needs.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber

SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")
"""Region and service of a signed request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stubber, lock = BotocoreStubber(), threading.Lock()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        scope = SCOPE.search(self.headers.get("authorization", ""))
        assert scope is not None, "the request is not signed"
        url = f"https://{scope[2]}.{scope[1]}.amazonaws.com{self.path}"
        headers = HTTPHeaders()
        for name, value in self.headers.items():
            headers[name] = value
        with self.lock:  # moto's state is not made for several threads
            result = self.stubber.process_request(AWSPreparedRequest(self.command, url, headers, body, False))
        assert result is not None, url
        status, answered, content = result
        sent = content.encode() if isinstance(content, str) else bytes(content)
        self.send_response(status)
        for name, value in answered.items():
            if name.lower() not in ("content-length", "connection", "date", "server"):
                self.send_header(name, str(value))
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged."""


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server on a free port, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
