"""Makes the direct clients of a sandbox."""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stepfast.backends.aws.direct_client import DirectClient
from stepfast.backends.aws.direct_connection import DirectConnections
from stepfast.backends.aws.direct_signature import RequestSignature
from stepfast.backends.aws.direct_terms import DirectTerms
from stepfast.functions.time_outs import CONNECT_SECONDS, READ_SECONDS

ROOTS = (
    *(f"Amazon Root CA {number}" for number in range(1, 5)),
    "Starfield Services Root Certificate Authority - G2",
)
"""The roots of Amazon Trust Services: https://www.amazontrust.com/repository/"""
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def direct_client(
    service: str, terms: DirectTerms, botocore: Callable[[], Any], heard: Callable[..., None] | None
) -> DirectClient:
    """A client of a service. botocore: makes the client that takes over. heard: called with each answer."""
    address = terms.addresses[service]
    context = trust(address.name.endswith(".amazonaws.com")) if address.tls else None
    connections = DirectConnections(address, CONNECT_SECONDS, READ_SECONDS, context)
    signature = RequestSignature(terms.credentials, terms.region, service)
    return DirectClient(service, address.host, connections, signature, botocore, heard)


def trust(of_aws: bool = True) -> ssl.SSLContext:
    """Checks servers by the certificates that botocore brings.

    of_aws: only by those that AWS's services are signed with. To load all of them takes 15 ms of a processor at a cold
    start. A server that has none of these gives a direct client no answer, and botocore takes over, which trusts all.
    """
    package = importlib.util.find_spec("botocore")
    brought = Path(package.origin).parent / "cacert.pem" if package is not None and package.origin else None
    if brought is None or not brought.is_file():
        return ssl.create_default_context()
    roots = _roots(brought.read_text(encoding="utf-8")) if of_aws else ()
    if len(roots) < len(ROOTS):
        return ssl.create_default_context(cafile=str(brought))
    return ssl.create_default_context(cadata="".join(roots))


def _roots(text: str) -> list[str]:
    """The certificates of a file in which each has a line with its label before it."""
    places = [(text.find(f'# Label: "{label}"')) for label in ROOTS]
    return [
        text[text.index(_BEGIN, place) : text.index(_END, place) + len(_END)] + "\n" for place in places if place >= 0
    ]
