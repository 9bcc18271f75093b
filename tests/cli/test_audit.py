"""`stepfast audit`, and `stepfast jobs list` where pages are short."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typer.testing import Result

from tests.http.serving import Api

Cli = Callable[..., Result]


def test_changes_are_listed_with_their_reason_and_what_came_of_them(failed: Api, cli: Cli) -> None:
    cli("close", "one", "--why", "a duplicate")
    cli("pause", "one", code=2)
    shown = cli("audit").stdout.splitlines()
    assert len(shown) == 3
    assert "pause" in shown[1]
    assert "refused (409)" in shown[1]
    assert "a duplicate" in shown[2]
    alone = json.loads(cli("audit", "--action", "close", "--execution", "one", "--json").stdout)
    assert [line["outcome"] for line in alone["lines"]] == ["done"]
    assert "there are more" in cli("audit", "--limit", "1").stdout
    assert cli("audit", "--by", "nobody").stdout == "no changes are listed\n"
    assert "there is no such action" in cli("audit", "--action", "think", code=2).stderr


JOB: dict[str, Any] = {
    "action": "pause",
    "status": "SUCCEEDED",
    "seen": 1,
    "done": 1,
    "total": 1,
    "skipped": 0,
    "failed": 0,
    "started_at": "2026-11-27T00:00:00Z",
}
PAGES: dict[str, Any] = {
    "": {"jobs": [], "next": "a"},
    "a": {"jobs": [{**JOB, "job_id": "newest"}], "next": "b"},
    "b": {"jobs": [{**JOB, "job_id": "older"}], "next": None},
}


class _ShortPages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        cursor = parse_qs(urlsplit(self.path).query).get("cursor", [""])[0]
        body = json.dumps(PAGES[cursor]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


def test_an_empty_page_of_jobs_is_not_the_end_of_the_list(cli: Cli) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _ShortPages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        listed = cli("--url", url, "jobs", "list").stdout
        latest = json.loads(cli("--url", url, "jobs", "list", "--limit", "1", "--json").stdout)
    finally:
        server.shutdown()
        server.server_close()
    assert "newest" in listed
    assert "older" in listed
    assert ([job["job_id"] for job in latest["jobs"]], latest["next"]) == (["newest"], "b")
