"""Reads the answers of a server within bounds, so that no server can use up the memory of this machine."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from stepfast.errors import Refused

MAX_REPLY_BYTES = 128 * 1024 * 1024
"""The largest answer that is read, in bytes after decompression."""
RATE = 16 * 1024
"""Bytes per second that an answer must deliver on average to be read beyond its timeout."""

ENCODINGS = "gzip, deflate"
PIECE = 64 * 1024
"""The most bytes that one call of zlib may produce."""


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
        """The parsed body. Raises ValueError if it is not JSON or is nested too deeply."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def read_reply(response: httpx.Response, timeout: float, largest: int) -> Reply:
    """Reads a streamed response.

    timeout: seconds. largest: bytes after decompression. Raises Refused for an answer that is larger, and
    httpx.ReadTimeout for an answer that takes longer and is slower than RATE.
    """
    begun, body, url = time.monotonic(), bytearray(), str(response.request.url)
    for part in _decoded(response):
        body += part
        if len(body) > largest:
            raise Refused(f"the answer of {url} has more than {largest:,} bytes, which are not read: ask for less")
        if time.monotonic() - begun > timeout + len(body) / RATE:
            raise httpx.ReadTimeout("the answer came too slowly", request=response.request)
    return Reply(response.status_code, response.reason_phrase, response.headers, url, bytes(body))


def _decoded(response: httpx.Response) -> Iterator[bytes]:
    """The decompressed body in pieces of at most PIECE bytes.

    httpx 0.28 decompresses whatever has arrived in one call (`Response.iter_bytes`). Deflate packs zeros about a
    thousand to one, so one network read could become a thousand times as large before its size can be checked.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        for part in response.iter_raw():  # noqa: UP028, the asynchronous twin has no `yield from`
            yield part
        return
    if encoding not in ("gzip", "deflate"):
        raise Refused(f"{response.request.url} answers in the encoding {encoding!r}, which was not asked for")
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS if encoding == "gzip" else zlib.MAX_WBITS)
    for packed in response.iter_raw():
        yield b""  # The caller checks the time between pieces, also while compressed bytes produce no output.
        while packed:
            try:
                yield inflater.decompress(packed, PIECE)
            except zlib.error as error:
                raise httpx.DecodingError(f"it is no {encoding}", request=response.request) from error
            packed = inflater.unconsumed_tail
