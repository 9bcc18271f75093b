"""The asynchronous twin of replies.py: `make async-client` writes it. Change replies.py."""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator

import httpx

from stepfast.client.replies import PIECE, RATE, Reply
from stepfast.errors import Refused


async def read_reply(response: httpx.Response, timeout: float, largest: int) -> Reply:
    """Reads a streamed response.

    timeout: seconds. largest: bytes after decompression. Raises Refused for an answer that is larger, and
    httpx.ReadTimeout for an answer that takes longer and is slower than RATE.
    """
    begun, body, url = time.monotonic(), bytearray(), str(response.request.url)
    async for part in _decoded(response):
        body += part
        if len(body) > largest:
            raise Refused(f"the answer of {url} has more than {largest:,} bytes, which are not read: ask for less")
        if time.monotonic() - begun > timeout + len(body) / RATE:
            raise httpx.ReadTimeout("the answer came too slowly", request=response.request)
    return Reply(response.status_code, response.reason_phrase, response.headers, url, bytes(body))


async def _decoded(response: httpx.Response) -> AsyncIterator[bytes]:
    """The decompressed body in pieces of at most PIECE bytes.

    httpx 0.28 decompresses whatever has arrived in one call (`Response.iter_bytes`). Deflate packs zeros about a
    thousand to one, so one network read could become a thousand times as large before its size can be checked.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        async for part in response.aiter_raw():
            yield part
        return
    if encoding not in ("gzip", "deflate"):
        raise Refused(f"{response.request.url} answers in the encoding {encoding!r}, which was not asked for")
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS if encoding == "gzip" else zlib.MAX_WBITS)
    async for packed in response.aiter_raw():
        yield b""  # The caller checks the time between pieces, also while compressed bytes produce no output.
        while packed:
            try:
                yield inflater.decompress(packed, PIECE)
            except zlib.error as error:
                raise httpx.DecodingError(f"it is no {encoding}", request=response.request) from error
            packed = inflater.unconsumed_tail
