"""WSGI in front, API Gateway's HTTP API events (payload 2.0) behind: a translation and nothing else."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from stepfast.http.bodies import MAX_BODY
from stepfast.http.problems import CONTENT_TYPE, URN

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["MAX_BODY", "application", "to_event"]


class Unreadable(Exception):
    """A request that cannot be made an event: the status to answer with, a type, and why."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail


def application(handler: Callable[[dict[str, Any], object], dict[str, Any]]) -> WSGIApplication:
    """A WSGI application that asks a Lambda handler for every answer."""

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            response = handler(to_event(environ), None)
        except Unreadable as error:
            response = _refusal(error)
        body = _body_of(response)
        # What is sent without a body by its status would tell by a length of 0 what the body is elsewhere.
        length = None if response["statusCode"] in (204, 304) else len(body)
        start_response(_status_line(response["statusCode"]), _headers_of(response, length))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return respond


def to_event(environ: WSGIEnvironment) -> dict[str, Any]:
    """The event that API Gateway would make of a request; Unreadable when its body cannot be had.

    As there, the path is decoded (so %2F is a slash), the query string is not, header names are in
    lower case, and duplicates are joined by commas.
    """
    raw_query = _utf8(environ.get("QUERY_STRING", ""))
    headers = _headers(environ)
    cookies = [one.strip() for one in headers.pop("cookie", "").split(";") if one.strip()]
    path = _utf8(environ.get("PATH_INFO", "")) or "/"
    method = environ["REQUEST_METHOD"]
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": raw_query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": headers.get("host", ""),
            "domainPrefix": "",
            "http": {
                "method": method,
                "path": path,
                "protocol": environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
                "sourceIp": environ.get("REMOTE_ADDR", ""),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if raw_query:
        joined: dict[str, str] = {}
        for name, value in parse_qsl(raw_query, keep_blank_values=True):
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        event["queryStringParameters"] = joined
    body = _read(environ)
    if body:
        try:
            event["body"] = body.decode()
        except UnicodeDecodeError:
            event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True
    return event


def _utf8(text: str) -> str:
    """WSGI hands bytes over as latin-1."""
    return text.encode("latin-1", errors="replace").decode(errors="replace")


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): _utf8(str(value))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = _utf8(str(environ[name]))
    return headers


def _read(environ: WSGIEnvironment) -> bytes:
    declared = str(environ.get("CONTENT_LENGTH") or "0")
    if not (declared.isascii() and declared.isdigit()):
        raise Unreadable(400, "unreadable-body", "Content-Length is not a number")
    length = int(declared) if len(declared) < 20 else MAX_BODY + 1
    if length > MAX_BODY:
        raise Unreadable(413, "body-too-large", f"a body may have {MAX_BODY} bytes")
    try:
        body: bytes = environ["wsgi.input"].read(length) if length else b""
    except OSError as error:
        raise Unreadable(400, "unreadable-body", "the body broke off") from error
    if len(body) < length:
        raise Unreadable(400, "unreadable-body", "the body is shorter than Content-Length says")
    return body


def _refusal(error: Unreadable) -> dict[str, Any]:
    title = HTTPStatus(error.status).phrase
    problem = {"type": URN + error.kind, "title": title, "status": error.status, "detail": error.detail}
    return {"statusCode": error.status, "headers": {"Content-Type": CONTENT_TYPE}, "body": json.dumps(problem)}


def _body_of(response: dict[str, Any]) -> bytes:
    body = response.get("body") or ""
    return base64.b64decode(body) if response.get("isBase64Encoded") else str(body).encode()


def _status_line(status: int) -> str:
    try:
        return f"{int(status)} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{int(status)} Unknown"


def _headers_of(response: dict[str, Any], length: int | None) -> list[tuple[str, str]]:
    headers = [(str(name), str(value)) for name, value in (response.get("headers") or {}).items()]
    headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
    headers += [("Set-Cookie", cookie) for cookie in response.get("cookies") or []]
    return headers if length is None else [*headers, ("Content-Length", str(length))]
