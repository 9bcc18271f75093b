"""The page behind a proxy that people sign on to, which knows them by a cookie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.loopback_servers import served_by

KEY = "of-the-proxy"


@pytest.fixture
def proxy(make_site: Callable[..., Site]) -> Iterator[Any]:
    """A proxy that signs people on when they open the page, and adds its key to the requests that bring its cookie."""
    site = make_site(STEPFAST_API_KEYS=KEY)

    class SignedOn(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            opening = self.path.split("?")[0] == "/"
            if not opening and "on=yes" not in (self.headers.get("Cookie") or ""):
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            kept = {name: self.headers[name] for name in ("Content-Type", "If-None-Match") if name in self.headers}
            headers = {**kept, "Authorization": f"Bearer {KEY}"}
            answer = httpx.request(self.command, site.url + self.path, content=body, headers=headers, timeout=60)
            self.send_response(answer.status_code)
            for name in ("Content-Type", "ETag", "Content-Security-Policy"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            if opening:
                self.send_header("Set-Cookie", "on=yes; HttpOnly; SameSite=Strict; Path=/")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = forward

        def log_message(self, *_: object) -> None: ...

    with served_by(SignedOn) as url:
        yield SimpleNamespace(url=url, behind=site)


def test_what_the_page_asks_for_brings_the_cookie_of_the_proxy(proxy: Any, open_page: Callable[..., Page]) -> None:
    without = open_page(proxy.behind)  # where nobody is let in
    expect(without.get_by_role("heading", name="API key needed")).to_be_visible()
    page = open_page(proxy)
    expect(page.get_by_text("No executions yet")).to_be_visible()
    assert page.evaluate("document.cookie") == ""  # the cookie is out of reach for scripts
