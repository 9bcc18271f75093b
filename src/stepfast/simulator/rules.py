"""How the simulated cloud behaves where AWS leaves it open: delays, duplicates, disorder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Times in seconds, chances from 0 to 1.

    call: an AWS call takes this long, half of it on the way there, half on the way back. queue, stream: from
    a message's or record's coming into being to the invocation. shards: of the stream, by hash of the
    partition key. duplicates: the chance that a message is delivered once more. reorder: messages are taken
    in any order. late: schedules fire up to this much after their time (AWS: within the minute), and twice
    by the chance of `duplicates`. expiry: from an item's TTL to its deletion (AWS: within a few days).
    pollers: batches of one queue handled at once where no MaximumConcurrency is set.
    """

    call: float = 0.005
    queue: float = 0.02
    stream: float = 0.2
    shards: int = 4
    duplicates: float = 0.0
    reorder: bool = False
    late: float = 0.0
    expiry: float = 3600.0
    pollers: int = 10
