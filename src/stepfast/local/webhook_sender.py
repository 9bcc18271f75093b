"""Posts webhooks over HTTP/1.1: only to public addresses, without redirects, and without a look at what is answered.

The name of a host is looked up here, and the connection goes to the very address that was checked. A second look-up,
as an HTTP client would make it, could give another address (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

import h11

from stepfast.delays import seconds_of
from stepfast.engine.webhook_deliverer import PostAnswer, PostFailed
from stepfast.engine.webhooks import Webhook

POST_SECONDS = 15.0
"""The time for a whole attempt. Standard Webhooks recommends 15 to 30 seconds."""
READ_BYTES = 64 * 1024
MOST_HEADER_BYTES = 64 * 1024
Addresses = Sequence[str]
Lookup = Callable[[str, int], Awaitable[Addresses]]
"""The addresses of a host."""


async def look_up(host: str, port: int) -> Addresses:
    """As the operating system knows them."""
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in infos]


def is_public(address: str) -> bool:
    """Whether an address is one of the internet: of no machine's own, no private network, and no cloud's metadata."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        # An IPv4 address inside an IPv6 one is judged by itself: ::ffff:10.0.0.1, 64:ff9b::10.0.0.1 and 2002:a00:1::.
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class WebhookSender:
    """A Poster. context: checks the certificates of receivers. look_up: finds the addresses of hosts."""

    def __init__(
        self, context: ssl.SSLContext | None = None, look_up: Lookup = look_up, seconds: float = POST_SECONDS
    ) -> None:
        self._context = context or ssl.create_default_context()
        self._look_up, self._seconds = look_up, seconds

    async def __call__(self, webhook: Webhook, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        parts = urlsplit(webhook.url)
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = await self._connect(webhook, parts)
                try:
                    return await _exchange(reader, writer, parts, headers, body)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise PostFailed(f"there was no answer within {self._seconds:g} s") from None
        except ssl.SSLError as error:
            raise PostFailed(f"TLS failed: {error.reason or type(error).__name__}") from None
        except h11.RemoteProtocolError:
            raise PostFailed("the receiver did not answer as HTTP does") from None
        except OSError as error:
            raise PostFailed(f"no connection: {error.strerror or type(error).__name__}") from None

    async def _connect(self, webhook: Webhook, parts: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        addresses = await self._look_up(host, port)
        if not webhook.allow_private:
            addresses = [address for address in addresses if is_public(address)]
        if not addresses:
            raise PostFailed("its host has no public address: set allow_private = true if that is meant")
        context, name = (self._context, host) if secure else (None, None)
        failure = OSError("its host has no address")
        for address in addresses:
            try:
                return await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
            except ssl.SSLError:
                raise
            except OSError as error:
                failure = error
        raise failure


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    parts: SplitResult,
    headers: Mapping[str, str],
    body: bytes,
) -> PostAnswer:
    """Sends the request and reads the head of the answer. Its body is of no interest, and may have no end."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADER_BYTES)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = [
        *(("host", parts.netloc.rpartition("@")[2]), ("user-agent", "stepfast"), ("connection", "close")),
        *(("accept", "*/*"), ("content-length", str(len(body)))),
        *headers.items(),
    ]
    request = h11.Request(method="POST", target=target, headers=sent)
    for part in (request, h11.Data(data=body), h11.EndOfMessage()):
        writer.write(connection.send(part) or b"")
    await writer.drain()
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            return PostAnswer(event.status_code, _retry_after(event))
        if event is h11.NEED_DATA:
            data = await reader.read(READ_BYTES)
            if not data:
                raise PostFailed("the receiver closed the connection without an answer")
            connection.receive_data(data)


def _retry_after(answer: h11.Response) -> float | None:
    for name, value in answer.headers:
        if name == b"retry-after":
            try:
                return seconds_of(value.decode("latin-1"))
            except ValueError:
                return None
    return None
