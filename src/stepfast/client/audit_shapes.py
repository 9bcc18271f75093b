"""The members of answers about the audit list that the client reads."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict


class AuditPageShape(TypedDict):
    lines: list[dict[str, Any]]
    next: str | None
