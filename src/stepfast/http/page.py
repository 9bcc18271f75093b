"""The dashboard: the built page at `/` and its files below `/assets/`, as responses like the API's own.

They hold nothing secret, so they need no key; the page asks for one when the API does. Where people sign in at
an issuer, the page has its address in a `meta` element, and may call it.
"""

from __future__ import annotations

import base64
import gzip
import html
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from stepfast.page_sign_on import PageSignOn

BUILT = Path(__file__).parents[1] / "dashboard"
"""Where `make dashboard` puts the page; packed into the wheel."""

_ASSET = re.compile(r"/assets/([A-Za-z0-9_-][A-Za-z0-9._-]*)")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HOW_TO_BUILD = "the page is not built: in a checkout, with Node 20.19 or newer, run make dashboard"
_ABSENT = (
    f"This stepfast serves its API, but {HOW_TO_BUILD}.\n\n"
    "Without it: stepfast list, show, resume; or /openapi.json, which describes the API.\n"
)
_SECURITY = {
    # Styles that a script sets on an element are not inline styles; everything else comes from this origin's files.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src {connects}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class DashboardPage:
    """Answers requests for the built page in a folder; if it is not built, the answer says how to build it.

    sign_on: how the page signs its user in; None if it does not.
    """

    def __init__(self, folder: Path = BUILT, *, sign_on: PageSignOn | None = None) -> None:
        self._folder = folder
        self._learns = "" if sign_on is None else _meta(sign_on)
        connects = " ".join(("'self'", *(() if sign_on is None else sign_on.connects)))
        self._security = {name: text.replace("{connects}", connects) for name, text in _SECURITY.items()}

    @property
    def is_built(self) -> bool:
        """Whether the page is built; if not, `/` answers how to build it."""
        return (self._folder / "index.html").is_file()

    def has(self, event: Mapping[str, Any]) -> bool:
        """Whether the page answers this request, with 404 for an asset that does not exist."""
        path = event.get("rawPath") or "/"
        method = event.get("requestContext", {}).get("http", {}).get("method", "")
        return method in ("GET", "HEAD") and (path == "/" or path.startswith("/assets/"))

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """A Lambda response. A client that accepts gzip gets text compressed, which the response holds in base64."""
        path = event.get("rawPath") or "/"
        if path == "/":
            return self._file(event, self._folder / "index.html", "no-cache", _ABSENT)
        asset = _ASSET.fullmatch(path)
        # The file name holds a hash of the content, so a cache may keep the file for ever.
        kept = "public, max-age=31536000, immutable"
        return self._file(event, self._folder / "assets" / asset.group(1) if asset else None, kept, "No such file.\n")

    def _file(self, event: Mapping[str, Any], file: Path | None, cache: str, absent: str) -> dict[str, Any]:
        kind = _TYPES.get(file.suffix) if file is not None else None
        try:
            changed = file.stat().st_mtime_ns if file is not None and kind is not None else None
        except OSError:
            changed = None
        if file is None or kind is None or changed is None:
            return self._response(404, "text/plain; charset=utf-8", "no-store", absent)
        learns = self._learns if kind == _TYPES[".html"] else ""
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        if "gzip" in headers.get("accept-encoding", ""):
            response = self._response(200, kind, cache, _compressed(file, changed, learns))
            response["isBase64Encoded"] = True
            response["headers"]["Content-Encoding"] = "gzip"
        else:
            response = self._response(200, kind, cache, _text(file, learns))
        response["headers"]["Vary"] = "Accept-Encoding"
        return response

    def _response(self, status: int, kind: str, cache: str, body: str) -> dict[str, Any]:
        headers = {"Content-Type": kind, "Cache-Control": cache, **self._security}
        return {"statusCode": status, "headers": headers, "cookies": [], "body": body, "isBase64Encoded": False}


def _meta(sign_on: PageSignOn) -> str:
    return f'<meta name="stepfast-sign-on" content="{html.escape(sign_on.as_text())}" />'


def _text(file: Path, learns: str) -> str:
    """The file, with an element in front of the end of its head."""
    text = file.read_text("utf-8")
    return text.replace("</head>", f"{learns}</head>", 1) if learns else text


@lru_cache(maxsize=32)
def _compressed(file: Path, changed: int, learns: str) -> str:
    """The file with what its page learns, compressed and in base64.

    `changed` is only a key of the cache: it differs for each version of the file.
    """
    return base64.b64encode(gzip.compress(_text(file, learns).encode(), 9, mtime=0)).decode()
