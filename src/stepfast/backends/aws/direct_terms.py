"""Whether a function may call DynamoDB and SQS directly: only where it has no variable that botocore obeys.

Each of the variables below changes how botocore connects, signs or is observed. A function that has one of them uses
botocore for all calls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from stepfast.backends.aws.direct_connection import Address
from stepfast.backends.aws.direct_signature import Credentials

OBEYED = (
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_DEFAULTS_MODE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_LAMBDA_EXEC_WRAPPER",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "BOTO_CONFIG",
    "REQUESTS_CA_BUNDLE",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
)
"""Variables that botocore obeys and a direct client does not. An exec wrapper is how agents observe botocore."""
WITH_BOTOCORE = "STEPFAST_AWS_CALLS"
"""Set to `botocore`, it makes a function use botocore for all calls."""
_REGION = re.compile(r"(?:af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-\d")
"""Regions whose services are in the domain amazonaws.com, by this name. For any other, botocore knows the address."""


class DirectTerms(NamedTuple):
    """What direct calls are made with. addresses: by service."""

    region: str
    credentials: Credentials
    addresses: Mapping[str, Address]


SERVICES = ("dynamodb", "sqs")


def direct_terms(environment: Mapping[str, str], region: str | None) -> DirectTerms | None:
    """The terms of direct calls from a function with this environment; None where it has to use botocore."""
    names = {name.upper() for name, value in environment.items() if value}
    if not names.isdisjoint(OBEYED) or environment.get(WITH_BOTOCORE) == "botocore":
        return None
    key, secret = environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")
    # Of a sandbox restored from a snapshot the environment's credentials may be old.
    snapped = environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
    if not key or not secret or not region or not _REGION.fullmatch(region) or snapped:
        return None
    addresses = {service: _address(environment, service, region) for service in SERVICES}
    usable = {service: address for service, address in addresses.items() if address is not None}
    credentials = Credentials(key, secret, environment.get("AWS_SESSION_TOKEN", ""))
    return DirectTerms(region, credentials, usable) if len(usable) == len(SERVICES) else None


def _address(environment: Mapping[str, str], service: str, region: str) -> Address | None:
    """Where a service is; None for an endpoint that a direct client cannot use."""
    url = environment.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environment.get("AWS_ENDPOINT_URL")
    if not url:
        return Address(f"{service}.{region}.amazonaws.com", 443, tls=True)
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    plain = parts.scheme in ("http", "https") and parts.path in ("", "/") and not parts.query and not parts.username
    return Address(parts.hostname, port, parts.scheme == "https") if plain and parts.hostname else None
