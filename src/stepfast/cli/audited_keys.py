"""API keys that are made and revoked straight in a table, each with its line in the deployment's audit list.

The CLI does not know the settings of the deployment. So the lines stand in the first shard, which every deployment
reads, and are kept for as long as any deployment may ask for; the deployment shows them for its own `audit_days`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stepfast.api_key import ApiKey
from stepfast.backends.dynamodb.api_keys import ApiKeys
from stepfast.backends.dynamodb.audit import DynamoAudit
from stepfast.backends.dynamodb.calls import Table
from stepfast.engine.audit import AuditOperations
from stepfast.engine.audit_store import AuditSettings
from stepfast.functions.clients import Clients
from stepfast.functions.host import WallClock
from stepfast.restriction import NONE, Restriction

CREATE_KEY, REVOKE_KEY = "create-key", "revoke-key"
LONGEST_KEPT_DAYS = 3650
NOBODY = "unknown credentials of AWS"


class AuditedKeys:
    """The keys of a table, as ApiKeys has them. A change is refused if its line cannot be written."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients, self._keys = clients, ApiKeys(clients.dynamodb, table)
        clock = WallClock()
        audit = DynamoAudit(Table(clients.dynamodb, table, clock), clock, shards=1)
        self._audit = AuditOperations(audit, clock, AuditSettings(LONGEST_KEPT_DAYS))

    def create(
        self,
        name: str,
        scopes: Collection[str],
        now: float,
        until: float | None = None,
        restriction: Restriction = NONE,
    ) -> tuple[ApiKey, str]:
        lines = list[Any]()

        def note(key: ApiKey) -> None:
            lines.append(self._note(CREATE_KEY, f"{key.key_id} {key.name}", f"scopes: {' '.join(key.scopes)}"))

        made = self._keys.create(name, scopes, now, until, restriction, noted=note)
        self._settle(lines[0], 201)
        return made

    def revoke(self, key_id: str, now: float) -> bool:
        line = self._note(REVOKE_KEY, key_id, "")
        revoked = self._keys.revoke(key_id, now)
        self._settle(line, 200 if revoked else 404)
        return revoked

    def list(self) -> list[ApiKey]:
        return self._keys.list()

    def _note(self, action: str, target: str, why: str) -> Any:
        return asyncio.run(self._audit.note(self._caller(), action, target=target, why=why))

    def _settle(self, line: Any, status: int) -> None:
        asyncio.run(self._audit.settle(line, status))

    def _caller(self) -> str:
        """The ARN of the credentials. STS tells it to everybody, but may be out of reach of a closed network."""
        try:
            return str(self._clients.sts.get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError):
            return NOBODY
