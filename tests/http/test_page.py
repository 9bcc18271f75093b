"""The dashboard's files, served by the API's own handler."""

from __future__ import annotations

import base64
import gzip
import html
from pathlib import Path
from typing import Any

import pytest

from stepfast.http.page import DashboardPage
from stepfast.page_sign_on import PageSignOn
from tests.http.serving import event


@pytest.fixture
def page(tmp_path: Path) -> DashboardPage:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>ü", "utf-8")
    (tmp_path / "assets" / "index-a1.js").write_text("run()", "utf-8")
    (tmp_path / "assets" / "notes.txt").write_text("not a part of it", "utf-8")
    (tmp_path / "secret.js").write_text("outside", "utf-8")
    return DashboardPage(tmp_path)


def ask(page: DashboardPage, path: str, **headers: str) -> dict[str, Any]:
    asked = event("GET", path, headers=headers)
    assert page.has(asked)
    return page.answer(asked)


def test_the_page_is_never_kept_and_its_files_always(page: DashboardPage) -> None:
    index, script = ask(page, "/"), ask(page, "/assets/index-a1.js")
    assert (index["statusCode"], index["body"]) == (200, "<!doctype html>ü")
    assert index["headers"]["Cache-Control"] == "no-cache"
    assert index["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert script["body"] == "run()"
    assert script["headers"]["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script["headers"]["Cache-Control"]


def test_nothing_inline_nothing_from_elsewhere_nothing_framed(page: DashboardPage) -> None:
    policy = ask(page, "/")["headers"]["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "data:" not in policy


def test_who_takes_gzip_gets_it(page: DashboardPage) -> None:
    answer = ask(page, "/", **{"Accept-Encoding": "br, gzip"})
    assert answer["isBase64Encoded"] is True
    assert answer["headers"]["Content-Encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(answer["body"])).decode() == "<!doctype html>ü"


def test_a_page_that_is_built_anew_is_served_anew(page: DashboardPage, tmp_path: Path) -> None:
    gzipped = {"Accept-Encoding": "gzip"}
    ask(page, "/", **gzipped)
    (tmp_path / "index.html").write_text("another", "utf-8")
    assert gzip.decompress(base64.b64decode(ask(page, "/", **gzipped)["body"])) == b"another"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/",
        "/assets/../secret.js",
        "/assets/..",
        "/assets/.hidden.js",
        "/assets/none.js",
        "/assets/notes.txt",
        "/assets/a/b.js",
        "/assets//etc/passwd",
        "/assets/index-a1.js\x00",
        "/assets/index-a1.js\n",
        "/assets/" + "x" * 5000 + ".js",
    ],
)
def test_only_the_files_of_the_page_are_served(page: DashboardPage, path: str) -> None:
    answer = ask(page, path)
    assert answer["statusCode"] == 404
    assert answer["headers"]["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("GET", "/v1/health"), ("GET", "/index.html")])
def test_the_rest_is_the_apis(page: DashboardPage, method: str, path: str) -> None:
    assert not page.has(event(method, path))


def test_without_a_built_page_it_says_how_to_get_one(tmp_path: Path) -> None:
    answer = ask(DashboardPage(tmp_path / "none"), "/")
    assert answer["statusCode"] == 404
    assert "make dashboard" in answer["body"]
    assert answer["headers"]["Content-Type"].startswith("text/plain")


def test_a_page_that_signs_in_learns_the_issuer_and_may_call_it(page: DashboardPage, tmp_path: Path) -> None:
    said = PageSignOn(
        "https://login.example.com/tenant",
        "the-page",
        "openid",
        {"x": '"><script>'},
        "access_token",
        ("https://t.example.com",),
    )
    (tmp_path / "index.html").write_text("<head></head><body></head>", "utf-8")
    signing = DashboardPage(tmp_path, sign_on=said)
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        answer = ask(signing, "/", **headers)
        body = answer["body"]
        text = gzip.decompress(base64.b64decode(body)).decode() if headers else body
        head, _, rest = text.partition("</head>")
        assert rest == "<body></head>"
        assert html.unescape(head.partition('content="')[2].partition('"')[0]) == said.as_text()
        assert "<script" not in text
        policy = answer["headers"]["Content-Security-Policy"]
        assert "connect-src 'self' https://login.example.com https://t.example.com;" in policy
        assert "script-src 'self';" in policy
    assert ask(signing, "/assets/index-a1.js")["body"] == "run()"
    assert "connect-src 'self';" in ask(page, "/")["headers"]["Content-Security-Policy"]
