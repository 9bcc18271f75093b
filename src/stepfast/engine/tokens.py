"""Tokens of claims: no two claims have the same, on any machine.

A call of the system for each token would cost a claim more than all else that it makes. So the random bytes are fetched
for many tokens at once. They are dropped after a second: a process that is restored from a snapshot, as AWS Lambda's
SnapStart does, would otherwise share them with every other copy.
"""

from __future__ import annotations

import secrets

BYTES = 8
FETCHED_AT_ONCE = 256
KEPT_SECONDS = 1.0

_kept: list[str] = []
_fetched_at = 0.0


def claim_token(now: float) -> str:
    """16 hexadecimal digits. now: seconds since the epoch. Thread-safe."""
    global _kept, _fetched_at
    kept = _kept
    if 0.0 <= now - _fetched_at < KEPT_SECONDS:
        try:
            return kept.pop()
        except IndexError:
            pass
    text = secrets.token_hex(BYTES * FETCHED_AT_ONCE)
    kept = [text[start : start + 2 * BYTES] for start in range(0, len(text), 2 * BYTES)]
    token = kept.pop()
    _kept, _fetched_at = kept, now
    return token
