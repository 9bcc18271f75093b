"""The AWS clients of a sandbox, each made when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from stepfast.errors import StartupError

CONNECT_SECONDS = 2.0
READ_SECONDS = 10.0
MAX_ATTEMPTS = 4
MAX_CONNECTIONS = 16
"""The listing asks its shards in parallel threads."""


class Clients:
    """boto3-like clients by service: `dynamodb`, `sqs`, `s3`, `scheduler`.

    ready: clients to use as they are, such as Clients(dynamodb=mine); any other is made. region: None takes
    AWS_REGION, as AWS's own command line does and boto3 does not, and else boto3's own way to find one. heard: is
    called with every answer that the clients made here get, as botocore's after-call is.
    """

    def __init__(self, region: str | None = None, heard: Callable[..., None] | None = None, **ready: Any) -> None:
        self._heard = heard
        self._region = region or os.environ.get("AWS_REGION") or None
        self._made: dict[str, Any] = ready
        self._session: Any = None

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

    def _client(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._make(service)
        return self._made[service]

    def _make(self, service: str) -> Any:
        # botocore's clients are boto3's without what boto3 adds for other uses, a sixth of a cold start.
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
            max_pool_connections=MAX_CONNECTIONS,
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
