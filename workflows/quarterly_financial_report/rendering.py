"""The client of the PDF service. It decides which answers are worth another attempt."""

import hashlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import httpx

from stepfast import GiveUp, RetryAfter

from .files import write_atomically
from .models import Document, Figures


class RenderingFailed(Exception):
    """The service is not available or has failed. The step's policy retries this ordinary failure."""


def fetch_pdf(figures: Figures, url: str, timeout: float) -> tuple[bytes, int]:
    """The PDF and its number of pages. Raises GiveUp, RetryAfter or RenderingFailed."""
    target = f"{url}/render"
    shown = httpx.URL(target).copy_with(
        userinfo=b""
    )  # Errors are stored and shown, so they must not contain a password.
    try:
        response = httpx.post(
            target,
            content=figures.model_dump_json(),
            headers={"Content-Type": "application/json", "Accept": "application/pdf"},
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
        )
    except httpx.TimeoutException as error:
        raise RenderingFailed(f"PDF service {shown} took too long ({type(error).__name__})") from error
    except httpx.TransportError as error:
        raise RenderingFailed(f"PDF service {shown} is not reachable: {error}") from error
    _check(response, str(shown))
    if not response.content.startswith(b"%PDF-"):
        raise RenderingFailed(f"PDF service {shown} answered 200, but not with a PDF")
    return response.content, int(response.headers.get("X-Pages", "0"))


def store_pdf(data: bytes, pages: int, figures: Figures, output: Path, execution_id: str) -> Document:
    """Keeps the PDF in a file named after the execution, so that a repeated attempt replaces the file."""
    # Quoting removes slashes from the file name and keeps the names of different execution ids different.
    name = f"report-{figures.year}-{figures.quarter}-{quote(execution_id, safe='')}.pdf"
    path = (output / name).absolute()
    write_atomically(path, data)
    return Document(
        title=figures.title, path=path, sha256=hashlib.sha256(data).hexdigest(), pages=pages, size=len(data)
    )


def _check(response: httpx.Response, shown: str) -> None:
    status = response.status_code
    if status == 200:
        return
    answer = f"PDF service {shown} answered {status} {response.reason_phrase}{_detail(response)}"
    if status in (429, 503):
        delay = _retry_after(response.headers.get("Retry-After", ""))
        if delay is not None:
            raise RetryAfter(delay, answer)
    # 408 and 429 are about the moment, so a later attempt may succeed. Any other 4xx is about the request.
    if 400 <= status < 500 and status not in (408, 429):
        raise GiveUp(answer)
    raise RenderingFailed(answer)


def _detail(response: httpx.Response) -> str:
    if response.headers.get("Content-Type") != "application/problem+json":
        return ""
    try:
        return f": {response.json()['detail']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _retry_after(value: str) -> float | None:
    """The seconds of a Retry-After header in either of its forms; None if it is missing or not valid."""
    if value.isdecimal():
        return float(value)
    try:
        due = parsedate_to_datetime(value)
    except ValueError:
        return None
    if due.tzinfo is None:
        due = due.replace(tzinfo=UTC)
    return max(0.0, (due - datetime.now(UTC)).total_seconds())
