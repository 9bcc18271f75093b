"""The demo is a promise of the README: it holds, and it notices when something is not so."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from demo.__main__ import REPORTS
from demo.front import Front, Request, by_period
from demo.parts import ROOT, Broken, ensure, until

pytestmark = pytest.mark.slow
JSON = {"Content-Type": "application/json"}


def test_the_whole_story_is_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", str(tmp_path / "left")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("Everything above was checked.")
    assert f"{REPORTS} reports have succeeded" in done.stdout
    assert len(list((tmp_path / "left" / "mail").glob("*.eml"))) == REPORTS + 3 + 1
    assert "still RUNNING\nThe person presses the button" in done.stdout
    assert len(list((tmp_path / "left" / "reports").glob("*.pdf"))) == REPORTS + 3


def test_what_is_not_so_ends_the_story() -> None:
    with pytest.raises(Broken, match="otherwise"):
        ensure([], "otherwise")
    with pytest.raises(Broken, match="in vain: nothing"):
        until("nothing", lambda: None, 0.01)


def test_the_front_counts_what_comes_while_the_service_is_down() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # Nobody listens.
        front = Front(closed.getsockname()[1])
        try:
            answers = [httpx.post(f"{front.url}/render", content=b"{}", headers=JSON, trust_env=False) for _ in "ab"]
        finally:
            front.close()
    assert [answer.status_code for answer in answers] == [502, 502]
    assert [request.served for request in front.requests] == [False, False]


def test_requests_are_counted_by_the_period_in_which_they_came() -> None:
    requests = [Request(at, True) for at in (1.0, 10.0, 10.4, 11.2)]
    assert by_period(requests, 10.0, 0.5) == [2, 0, 1]
    assert by_period([], 0.0, 1.0) == []
