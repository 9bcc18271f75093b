"""What is counted as executions end: ends by status, how long they took, what became of the steps' attempts. Pure.

Durations are counted in buckets whose limits grow by a constant factor, so that those of many hours add up and
percentiles are right within a known share (DDSketch: Masson, Rim and Lee, PVLDB 12(12), 2019).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from stepfast.model import Execution, Record
from stepfast.records import dataclass

HOUR = 3600
"""Seconds that are counted together."""
BUCKET_GROWTH = 2**0.25
"""By how much a bucket's upper limit exceeds its lower one; a duration is reported within
(BUCKET_GROWTH - 1) / (BUCKET_GROWTH + 1).
"""
SHORTEST = 0.001
"""Seconds; what took less is in the first bucket."""
TOOK, STEP = "took:", "step:"
"""What a name of a tally begins with, beside the statuses: a bucket's number, a step's name."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one thing. Of a status or a duration only `count`; of a step, `count` is of its attempts.

    failures: attempts that raised or timed out. given_up: steps that failed for good. succeeded, seconds: attempts
    that succeeded, and how long these took together.
    """

    count: int = 0
    failures: int = 0
    given_up: int = 0
    succeeded: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.count + other.count,
            self.failures + other.failures,
            self.given_up + other.given_up,
            self.succeeded + other.succeeded,
            self.seconds + other.seconds,
        )


_ONE = Tally(1)
Tallies = Mapping[str, Tally]
"""By name: a status, TOOK and a bucket, STEP and a step's name."""


def hour_of(at: float) -> int:
    """The number of an hour since the epoch."""
    return int(at // HOUR)


def tallies_of(execution: Execution, records: Iterable[Record]) -> dict[str, Tally]:
    """What an execution adds as it ends: with what its last generation did, since each generation ends once."""
    ended_at = execution.ended_at or execution.created_at
    tallies: dict[str, Tally] = {execution.status: _ONE}
    if execution.status == "SUCCEEDED":
        tallies[f"{TOOK}{bucket_of(ended_at - execution.created_at)}"] = _ONE
    steps: dict[str, list[float]] = {}
    for record in records:
        if record.kind == "step" and record.attempt and record.generation == execution.generation:
            counts = steps.get(record.name)
            if counts is None:
                counts = steps[record.name] = [0, 0, 0, 0, 0.0]
            if record.attempt == 1 and record.status == "SUCCEEDED" and not record.attempts:  # as most are
                counts[0] += 1
                counts[3] += 1
                counts[4] += _seconds(record)
            else:
                _count(counts, record, execution.resumed_at or 0.0)
    for name, counts in steps.items():
        tallies[STEP + name] = Tally(*counts)  # type: ignore[arg-type]
    return tallies


def _count(counts: list[float], record: Record, since: float) -> None:
    """Adds a step's attempts to the fields of a tally, in their order; sums of tallies would take twice as long.

    since: attempts that ended before were counted as the generation before ended.
    """
    earlier = (
        [attempt for attempt in record.attempts if (attempt.ended_at or attempt.started_at) < since] if since else []
    )
    stopped = sum(attempt.uses_no_try for attempt in earlier)
    succeeded = record.status == "SUCCEEDED"
    open = succeeded or record.status in ("RUNNING", "CANCELLED")  # the last attempt, then, did not fail
    counts[0] += record.attempt - len(earlier)
    counts[1] += max(0, record.attempt - record.interrupted - open - (len(earlier) - stopped))
    counts[2] += record.status == "FAILED"
    if succeeded:
        counts[3] += 1
        counts[4] += _seconds(record)


def _seconds(record: Record) -> float:
    """How long the attempt took that succeeded."""
    return max(0.0, (record.ended_at or 0.0) - (record.started_at or 0.0))


def added(tallies: Iterable[Tallies]) -> dict[str, Tally]:
    """The sum of them, by name."""
    total: dict[str, Tally] = {}
    for part in tallies:
        for name, tally in part.items():
            total[name] = total[name] + tally if name in total else tally
    return total


# -- durations ---------------------------------------------------------------------------------------------


def bucket_of(seconds: float) -> int:
    """The number of the bucket whose upper limit is the first that is not exceeded."""
    return max(0, math.ceil(math.log(seconds / SHORTEST, BUCKET_GROWTH) - 1e-9)) if seconds > SHORTEST else 0


def seconds_of(bucket: int) -> float:
    """The duration that is wrong by the same share at both limits of the bucket."""
    return SHORTEST * BUCKET_GROWTH**bucket * 2 / (BUCKET_GROWTH + 1) if bucket else SHORTEST


def percentile(durations: Mapping[int, int], share: float) -> float:
    """The smallest duration that the share of all does not exceed (nearest rank). durations: counts by bucket."""
    rank = max(1, math.ceil(share * sum(durations.values())))
    for bucket in sorted(durations):
        rank -= durations[bucket]
        if rank <= 0:
            return seconds_of(bucket)
    raise ValueError("there are no durations")
