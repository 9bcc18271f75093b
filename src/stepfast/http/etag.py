"""Tags by which a caller that asks again is told that nothing has changed. Pure."""

from __future__ import annotations

import hashlib

from stepfast.model import Snapshot

HEADERS = {"ETag": {"description": "for If-None-Match, when it is asked again", "schema": {"type": "string"}}}
"""How OpenAPI describes an answer with a tag."""
UNCHANGED = {304: {"description": "nothing has changed since the answer with this ETag; without a body"}}


def tag_of(snapshot: Snapshot, *asked: object) -> str:
    """Changes whenever what is stored does. asked: what else makes an answer differ."""
    execution = snapshot.execution
    state = (
        asked,
        (execution.execution_id, execution.created_at, execution.status, execution.generation, execution.ended_at),
        snapshot.cursor.revision,
        sorted((record.id, record.revision) for record in snapshot.records.values()),
        sorted(signal.signal_id for signal in snapshot.signals),
    )
    # Weak: what stands between may send the same answer in other bytes, such as compressed.
    return f'W/"{hashlib.sha256(repr(state).encode()).hexdigest()[:32]}"'


def is_known(tag: str, if_none_match: str | None) -> bool:
    """True when the caller's If-None-Match names this tag."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return tag.removeprefix("W/") in tags or tags == ["*"]
