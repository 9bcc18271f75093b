"""How the simulated cloud behaves where AWS leaves it open: delays, duplicates, disorder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """How the simulated AWS behaves where the real one is free to. Times are in seconds, chances from 0 to 1.

    call: how long a call to AWS takes; one half of it is the way there, the other the way back.
    queue: the time from the sending of a message to the invocation with it.
    stream: the time from a write to the invocation with its stream record.
    shards: how many shards the stream has. The hash of the partition key chooses the shard.
    duplicates: the chance that a message is delivered once more.
    reorder: whether messages are delivered in any order.
    late: how much later than their time schedules fire at most (on AWS within the minute). The chance of `duplicates`
    lets them fire twice.
    expiry: the time from the TTL of an item to its deletion (on AWS within a few days).
    pollers: how many batches of a queue are handled at once where no MaximumConcurrency is set.
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
