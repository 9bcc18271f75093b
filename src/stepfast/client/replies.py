"""What a server has answered, read within bounds: nothing at the other end can use up this machine's memory."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from stepfast.errors import Refused

LARGEST = 128 * 1024 * 1024
"""Bytes of an answer, decompressed, that are read."""
RATE = 16 * 1024
"""Bytes a second that an answer has to bring once its time is up."""

ENCODINGS = "gzip, deflate"
PIECE = 64 * 1024
"""Bytes that are decompressed at a time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response whose body has been read."""

    status: int
    reason: str
    headers: httpx.Headers
    url: str
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The parsed body; ValueError for one that is no JSON or nested too deeply."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def read(response: httpx.Response, timeout: float, largest: int) -> Reply:
    """Reads a streamed response; Refused for one that is too large, httpx.ReadTimeout for one that takes too long."""
    begun, body, url = time.monotonic(), bytearray(), str(response.request.url)
    for part in _decoded(response):
        body += part
        if len(body) > largest:
            raise Refused(f"the answer of {url} has more than {largest:,} bytes, which are not read: ask for less")
        if time.monotonic() - begun > timeout + len(body) / RATE:
            raise httpx.ReadTimeout("the answer came too slowly", request=response.request)
    return Reply(response.status_code, response.reason_phrase, response.headers, url, bytes(body))


def _decoded(response: httpx.Response) -> Iterator[bytes]:
    """The body a piece at a time. httpx decompresses all of what has arrived at once: a thousand times as much."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        yield from response.iter_raw()
        return
    if encoding not in ("gzip", "deflate"):
        raise Refused(f"{response.request.url} answers in the encoding {encoding!r}, which was not asked for")
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS if encoding == "gzip" else zlib.MAX_WBITS)
    for packed in response.iter_raw():
        yield b""  # the time is looked at also while nothing comes out
        while packed:
            try:
                yield inflater.decompress(packed, PIECE)
            except zlib.error as error:
                raise httpx.DecodingError(f"it is no {encoding}", request=response.request) from error
            packed = inflater.unconsumed_tail
