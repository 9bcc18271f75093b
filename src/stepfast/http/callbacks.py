"""`/v1/callbacks`: answers that come by a link. Its token is all that a request needs, and all that it can use.

GET and HEAD only look, so a mail scanner or a browser that fetches ahead answers nothing. POST answers: a form, from
the page that GET gives, or JSON, from a program.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from stepfast.engine.answering import LinkRefused, LinkState
from stepfast.engine.operations import Operations
from stepfast.engine.signalling import name_of_link
from stepfast.errors import InvalidRequest
from stepfast.http import bodies, callback_pages, moments, problems
from stepfast.http.auditing import ANSWER_LINK, Auditing
from stepfast.http.auth import require_json
from stepfast.http.callback_forms import Form, form_of
from stepfast.http.engine import EngineCaller
from stepfast.http.problems import Rejected
from stepfast.link_tokens import PATH, LinkClaims

__all__ = ["Callbacks", "is_callback"]

Object = dict[str, Any]
MAX_LINK_BODY_BYTES = 64 * 1024
"""The largest body of an answer."""
_STATUS = {"invalid": 403, "expired": 410, "answered": 409, "over": 410}
_TITLE = {
    "invalid": "This link does not work",
    "expired": "This link has expired",
    "answered": "This was answered already",
    "over": "No answer is needed any more",
}
_FORM = "application/x-www-form-urlencoded"


def is_callback(event: Mapping[str, Any]) -> bool:
    """Whether the request is for an answer link, which needs no API key."""
    return event.get("rawPath") == PATH


class LinkPace:
    """Limits the requests of each link to `burst` at once and `rate` a second. Thread-safe."""

    def __init__(self, rate: float = 2.0, burst: float = 20.0) -> None:
        self._rate, self._burst = rate, burst
        self._lock = threading.Lock()
        self._free: dict[str, tuple[float, float]] = {}

    def take(self, link: str) -> None:
        """Raises Rejected (429) where the link was used too often."""
        now = time.monotonic()
        with self._lock:
            free, at = self._free.pop(link, (self._burst, now))
            free = min(self._burst, free + (now - at) * self._rate)
            self._free[link] = (max(0.0, free - 1), now)
            while len(self._free) > 10_000:
                del self._free[next(iter(self._free))]
        if free < 1:
            raise Rejected(
                429, "too-many-requests", "Too many requests", "use this link again later", {"Retry-After": "1"}
            )


class Callbacks:
    """Answers requests for links. call: runs a coroutine of the engine to its result, from any thread."""

    def __init__(self, operations: Operations, call: EngineCaller, auditing: Auditing) -> None:
        self._operations, self._call, self._pace = operations, call, LinkPace()
        self._auditing = auditing

    def answer(self, event: Mapping[str, Any]) -> Object:
        """A Lambda response; it never raises."""
        headers = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        method = str(((event.get("requestContext") or {}).get("http") or {}).get("method") or "").upper()
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        as_page = "text/html" in headers.get("accept", "") and not (method == "POST" and kind != _FORM)
        try:
            if method not in ("GET", "HEAD", "POST"):
                detail = f"a link takes GET and POST, not {method[:20]}"
                raise Rejected(405, "wrong-method", "Wrong method", detail, {"Allow": "GET, HEAD, POST"})
            sent = _body(event, headers, kind) if method == "POST" else None
            claims = self._call(self._operations.links.check(_token(event)))
            self._pace.take(f"{claims.execution_id} {claims.link}")
            if method != "POST":
                return self._look(claims, as_page)
            if isinstance(sent, str):
                return self._noted(claims, lambda: self._form(claims, sent))
            if sent is not None and set(sent) == {"heartbeat"}:
                return self._report(claims, sent)
            return self._noted(claims, lambda: self._report(claims, sent))
        except Exception as error:
            return _refusal(error, as_page)

    def _noted(self, claims: LinkClaims, act: Callable[[], Object]) -> Object:
        """Answers, with a line in the audit list: whoever has the link has no other name."""
        name = name_of_link(claims.link) or claims.link
        return self._auditing.line(ANSWER_LINK, act, claims.execution_id, name, by="answer link")

    def _look(self, claims: LinkClaims, as_page: bool) -> Object:
        state = self._call(self._operations.links.look(claims))
        if as_page:
            return _html(200, self._page(state, {}))
        schema = None if state.wait is None else _schema(state)
        view = {
            "name": name_of_link(claims.link),
            "execution_id": claims.execution_id,
            "status": "open" if state.wait is not None else "answered",
            "expires_at": moments.time(claims.expires_at),
            "answer": json.loads(claims.answer) if claims.answer is not None else None,
            "schema": schema,
        }
        return _json(200, view)

    def _page(self, state: LinkState, sent: Mapping[str, str], wrong: str = "") -> str:
        claims = state.claims
        if state.wait is None:
            return callback_pages.notice(_TITLE["answered"], "Nothing is left to do here.")
        name, expires = name_of_link(claims.link) or claims.link, _day_and_time(claims.expires_at)
        form = _form_of(state)
        if claims.answer is not None:
            answer = json.loads(claims.answer)
            return callback_pages.confirmation(name, claims.execution_id, expires, form.about, answer)
        return callback_pages.question(name, claims.execution_id, expires, form, sent, wrong)

    def _form(self, claims: LinkClaims, sent: str) -> Object:
        """Takes the form of the page, and answers with a page, whatever the browser accepts."""
        fields = dict(parse_qsl(sent, keep_blank_values=True, max_num_fields=100))
        state = self._call(self._operations.links.look(claims))
        if state.wait is None and claims.answer is None:
            raise LinkRefused("answered", "this link was answered already")
        try:
            answer = None if claims.answer is not None else _form_of(state).read(fields)
            self._call(self._operations.links.answer(claims, answer))
        except InvalidRequest as error:
            return _html(422, self._page(state, fields, _in_words(error)))
        return _html(200, callback_pages.notice("Thank you", "Your answer was recorded. You can close this page."))

    def _report(self, claims: LinkClaims, sent: Object | None) -> Object:
        """Takes JSON of a program: `answer`, `failure` or `heartbeat`."""
        body = sent or {}
        try:
            made = self._call(self._operations.links.report(claims, body))
        except InvalidRequest as error:
            raise (problems.below("answer", error) if set(body) == {"answer"} else error) from error
        if made is None:
            return _json(200, {"status": "open"})
        return _json(202 if made.created else 200, {"status": "answered"})


def _token(event: Mapping[str, Any]) -> str:
    asked: list[str] = parse_qs(event.get("rawQueryString") or "", keep_blank_values=True).get("token", [])
    if len(asked) != 1:
        raise LinkRefused("invalid", "this link is not complete: copy all of it")
    return asked[0]


def _body(event: Mapping[str, Any], headers: Mapping[str, str], kind: str) -> Object | str | None:
    """A form as text, JSON as an object; None without a body. Rejected for another type, or if it is too large."""
    body, coded = event.get("body") or "", bool(event.get("isBase64Encoded"))
    if (len(body) * 3 // 4 if coded else len(body.encode(errors="replace"))) > MAX_LINK_BODY_BYTES:
        raise Rejected(413, "body-too-large", "Body too large", f"an answer may have {MAX_LINK_BODY_BYTES} bytes")
    if kind == _FORM:
        try:
            return base64.b64decode(body).decode() if coded else str(body)
        except ValueError:
            raise Rejected(400, "malformed-form", "Malformed form", "the form is not UTF-8 text") from None
    if not body:
        return None
    require_json(headers)
    parsed: Object | None = bodies.parse(body, coded)
    return parsed


def _form_of(state: LinkState) -> Form:
    return form_of(_schema(state))


def _schema(state: LinkState) -> Object:
    codec = state.wait.codec if state.wait is not None else None
    assert codec is not None, "a wait for a signal has a codec"
    return codec.json_schema()


def _in_words(error: InvalidRequest) -> str:
    return "; ".join(f"{path or 'answer'}: {message}" for path, message in error.fields[:5]) or str(error)


def _refusal(error: Exception, as_page: bool) -> Object:
    if isinstance(error, LinkRefused):
        status, title = _STATUS[error.reason], _TITLE[error.reason]
        if as_page:
            return _html(status, callback_pages.notice(title, f"{str(error)[0].upper()}{str(error)[1:]}."))
        problem = problems.problem(status, f"link-{error.reason}", title, str(error))
    else:
        problem = problems.of(error)
        if as_page:
            said = json.loads(problem.body or "{}")
            page = callback_pages.notice(str(said.get("title")), str(said.get("detail")))
            return _html(problem.status_code, page, problem.headers)
    return _response(problem.status_code, "application/problem+json", problem.body or "", problem.headers)


def _html(status: int, page: str, headers: Mapping[str, Any] | None = None) -> Object:
    return _response(status, "text/html; charset=utf-8", page, headers)


def _json(status: int, value: Object) -> Object:
    return _response(status, "application/json", json.dumps(value))


def _response(status: int, kind: str, body: str, headers: Mapping[str, Any] | None = None) -> Object:
    assert HTTPStatus(status)
    return {
        "statusCode": status,
        "headers": {**callback_pages.HEADERS, **(headers or {}), "Content-Type": kind, "Vary": "Accept"},
        "cookies": [],
        "body": body,
        "isBase64Encoded": False,
    }


def _day_and_time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d %B %Y, %H:%M} UTC"
