"""Items of figures: tallies by workflow, hour and shard, added to right after the end that they are of.

Not in one transaction with it, which would cost four times as much: whoever dies between the two leaves an end
uncounted, and a lost answer may count one twice. A partition for each workflow and shard keeps thousands of ends a
second from meeting in one. Names of attributes are a tally's name and one letter for each of its counts.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stepfast.backends.aws.errors import Misconfigured
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.listing_keys import shard_of
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.typed_json import Item, number, text
from stepfast.engine.metrics import HOUR, Tallies, Tally, added, hour_of
from stepfast.engine.ports import End
from stepfast.errors import Unavailable

log = logging.getLogger(__name__)

PARTITION = "f#"
FIGURES_KEPT_SECONDS = 91 * 86400
"""Seconds until an hour's figures expire."""
THREADS = 8
_LETTERS = {"n": "count", "f": "failures", "g": "given_up", "s": "succeeded", "t": "seconds"}


class Figures:
    """shards: as of the listing; may grow, never shrink."""

    def __init__(self, table: Table, shards: int) -> None:
        self._table, self._shards = table, shards

    async def add(self, end: End) -> None:
        """Adds what an end counts to the hour in which the execution ended; nothing is written where it counts nothing.

        A failure is logged and costs only the counts.
        """
        if not end.counts:
            return
        execution, hour = end.execution, hour_of(end.execution.ended_at or 0.0)
        counts = {
            f"{name}|{letter}": {"N": f"{count:.6f}" if letter == "t" else str(int(count))}
            for name, tally in end.counts.items()
            for letter, field in _LETTERS.items()
            if (count := getattr(tally, field))
        }
        key = self._key(execution.workflow, shard_of(execution.execution_id, self._shards), hour)
        try:
            await self._table.add(key, counts, {EXPIRES: number((hour + 1) * HOUR + FIGURES_KEPT_SECONDS)})
        except (Unavailable, Misconfigured) as error:
            log.warning("the end of execution %s is not in the figures: %s", execution.execution_id, error)

    def read(self, workflow: str, since: int, until: int) -> dict[int, Tallies]:
        """By hour, from `since` on and before `until`; hours in which nothing ended are left out."""
        by_hour: dict[int, list[Tallies]] = defaultdict(list)
        with ThreadPoolExecutor(THREADS, "stepfast-figures") as threads:
            asked = [threads.submit(self._shard, workflow, shard, since, until) for shard in range(self._shards)]
            for answer in asked:
                for item in answer.result():
                    by_hour[int(item["sk"]["S"])].append(_tallies_of(item))
        return {hour: added(several) for hour, several in by_hour.items()}

    def _shard(self, workflow: str, shard: int, since: int, until: int) -> list[Item]:
        pages = self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :since AND :until",
            ExpressionAttributeValues={
                ":pk": self._key(workflow, shard, since)["pk"],
                ":since": text(f"{since:09}"),
                ":until": text(f"{until - 1:09}"),
            },
        )
        return [item for page, _ in pages for item in page]

    @staticmethod
    def _key(workflow: str, shard: int, hour: int) -> Item:
        return {"pk": text(f"{PARTITION}{workflow}#{shard}"), "sk": text(f"{hour:09}")}


def _tallies_of(item: Item) -> dict[str, Tally]:
    fields: dict[str, dict[str, Any]] = defaultdict(dict)
    for attribute, value in item.items():
        name, bar, letter = attribute.rpartition("|")
        if bar and letter in _LETTERS:
            count = float(value["N"])
            fields[name][_LETTERS[letter]] = count if letter == "t" else int(count)
    return {name: Tally(**counts) for name, counts in fields.items()}
