"""Direct clients for tests: on moto in this process, or at a server on loopback."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber

from stepfast.backends.aws.direct_client import DirectClient
from stepfast.backends.aws.direct_connection import Address, DirectConnections, RawAnswer
from stepfast.backends.aws.direct_signature import Credentials, RequestSignature
from tests.backends.cloud import REGION, shared_client

MADE: list[DirectClient] = []
"""The clients with connections of their own, which a test closes."""
TESTING = Credentials("testing", "testing")


class ToMoto(DirectConnections):
    """Hands each request to the moto of this process, and keeps it."""

    def __init__(self) -> None:
        super().__init__(Address("moto", 443, tls=False), 1.0, 1.0, None)
        self._stubber, self.requests = BotocoreStubber(), list[tuple[str, bytes]]()

    def post(self, head: str, body: bytes) -> RawAnswer:
        self.requests.append((head, body))
        headers = HTTPHeaders()
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            headers[name] = value
        request = AWSPreparedRequest("POST", f"https://{headers['host']}/", headers, body, False)
        result = self._stubber.process_request(request)
        assert result is not None
        status, answered, content = result
        return RawAnswer(
            status,
            {name.lower(): str(value) for name, value in answered.items()},
            content.encode() if isinstance(content, str) else bytes(content),
        )


def direct_on_moto(service: str, connections: DirectConnections | None = None) -> Any:
    """A direct client of a service that moto plays."""
    host = f"{service}.{REGION}.amazonaws.com"
    signature = RequestSignature(TESTING, REGION, service)
    return DirectClient(service, host, connections or ToMoto(), signature, lambda: shared_client(service))


def mostly_direct(service: str) -> Any:
    """What a function has: direct clients of two services, and botocore's of the others."""
    return direct_on_moto(service) if service in ("dynamodb", "sqs") else shared_client(service)


def direct_at(
    port: int,
    botocore: Callable[[], Any],
    heard: Callable[..., None] | None = None,
    monotonic: Callable[[], float] = lambda: 0.0,
    context: ssl.SSLContext | None = None,
    service: str = "dynamodb",
    read_seconds: float = 5.0,
) -> Any:
    """A direct client of a server on loopback."""
    address = Address("127.0.0.1", port, tls=context is not None)
    connections = DirectConnections(address, 2.0, read_seconds, context)
    signature = RequestSignature(TESTING, REGION, service)
    MADE.append(DirectClient(service, address.host, connections, signature, botocore, heard, monotonic))
    return MADE[-1]
