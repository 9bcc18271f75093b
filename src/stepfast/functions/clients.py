"""The AWS clients of a sandbox, each made at its first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stepfast.errors import StartupError
from stepfast.functions.time_outs import CONNECT_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    from stepfast.backends.aws.direct_terms import DirectTerms

MAX_ATTEMPTS = 4
"""Attempts of one call, the first included."""
CONNECTIONS_PER_CLIENT = 16
"""Connections per client: the listing reads its shards in parallel threads."""


class Clients:
    """boto3-like clients by service: `dynamodb`, `sqs`, `s3`, `scheduler`, `kms`, `events`, `secretsmanager`, `ssm`,
    `sts`.

    region: the region's name; None reads AWS_REGION (as the AWS command line does and boto3 does not), then falls back
    to boto3's own search. heard: called with each answer to the clients made here, as botocore's event `after-call`.
    direct: the terms of calls that are made without botocore, of the services that it has; None for none.
    ready: clients to use as they are, such as Clients(dynamodb=mine). The first use of any other raises StartupError if
    boto3 is missing or no region is configured.
    """

    def __init__(
        self,
        region: str | None = None,
        heard: Callable[..., None] | None = None,
        direct: DirectTerms | None = None,
        **ready: Any,
    ) -> None:
        self._heard, self._direct = heard, direct
        self._region = region or os.environ.get("AWS_REGION") or None
        self._made: dict[str, Any] = ready
        self._session: Any = None
        self._lock = threading.Lock()  # a session makes clients for one thread at a time

    @property
    def dynamodb(self) -> Any:
        return self._client("dynamodb")

    @property
    def sqs(self) -> Any:
        return self._client("sqs")

    @property
    def s3(self) -> Any:
        return self._client("s3")

    @property
    def scheduler(self) -> Any:
        return self._client("scheduler")

    @property
    def kms(self) -> Any:
        return self._client("kms")

    @property
    def events(self) -> Any:
        return self._client("events")

    @property
    def secretsmanager(self) -> Any:
        return self._client("secretsmanager")

    @property
    def ssm(self) -> Any:
        return self._client("ssm")

    @property
    def sts(self) -> Any:
        return self._client("sts")

    def _client(self, service: str) -> Any:
        if service not in self._made:
            with self._lock:
                if service not in self._made:
                    self._made[service] = self._make_direct(service) or self._make(service)
        return self._made[service]

    def _make_direct(self, service: str) -> Any:
        if self._direct is None or service not in self._direct.addresses:
            return None
        from stepfast.functions.direct_clients import direct_client

        return direct_client(service, self._direct, lambda: self._botocore(service), self._heard)

    def _botocore(self, service: str) -> Any:
        """The client of botocore that a direct client hands calls to; made when one is needed."""
        name = f"{service} by botocore"
        if name not in self._made:
            with self._lock:
                if name not in self._made:
                    self._made[name] = self._make(service)
        return self._made[name]

    def _make(self, service: str) -> Any:
        # boto3's clients are botocore's. Importing boto3 as well would add a sixth to the cold start and no method in
        # use.
        try:
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
            from botocore.session import Session
        except ImportError as error:
            raise StartupError("AWS needs boto3: pip install 'stepfast[aws]'") from error
        if self._session is None:
            self._session = Session()
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": MAX_ATTEMPTS},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=CONNECTIONS_PER_CLIENT,
            tcp_keepalive=True,
        )
        try:
            client = self._session.create_client(service, region_name=self._region, config=config)
        except BotoCoreError as error:
            advice = "set AWS_REGION or a profile, as for the AWS command line"
            raise StartupError(f"no client for AWS {service}: {error}; {advice}") from error
        if self._heard is not None:
            client.meta.events.register("after-call", self._heard)
        return client
