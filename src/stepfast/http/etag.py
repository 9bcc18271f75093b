"""Entity tags, for 304 answers to callers that poll. Pure."""

from __future__ import annotations

import hashlib

from stepfast.model import Snapshot

HEADERS = {"ETag": {"description": "for If-None-Match, when it is asked again", "schema": {"type": "string"}}}
"""The OpenAPI description of an answer with a tag."""
UNCHANGED = {304: {"description": "nothing has changed since the answer with this ETag; without a body"}}


def tag_of(snapshot: Snapshot, *asked: object) -> str:
    """A tag that changes whenever the stored state does. asked: the parameters that also change the answer."""
    execution = snapshot.execution
    state = (
        asked,
        (execution.execution_id, execution.created_at, execution.status, execution.generation, execution.ended_at),
        execution.progress,
        execution.shown,
        execution.link,
        snapshot.cursor.revision,
        sorted((record.id, record.revision) for record in snapshot.records.values()),
        sorted(signal.signal_id for signal in snapshot.signals),
    )
    # A weak tag: a proxy may send the same answer in other bytes, for example compressed.
    return f'W/"{hashlib.sha256(repr(state).encode()).hexdigest()[:32]}"'


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Whether the caller's If-None-Match header names this tag."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return tag.removeprefix("W/") in tags or tags == ["*"]
