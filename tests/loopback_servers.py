"""A real HTTP server of the standard library for as long as a test needs it: other people's servers, played."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple


class Tls(NamedTuple):
    """The files of a certificate for `localhost`, and of its key."""

    certificate: Path
    key: Path


@contextmanager
def served_by(handler: type[BaseHTTPRequestHandler], tls: Tls | None = None) -> Iterator[str]:
    """The handler behind a server on loopback; yields its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"{'http://127.0.0.1' if tls is None else 'https://localhost'}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
