"""The keys of the table's index: times as sortable text, and the shard of an execution. Pure."""

from __future__ import annotations

import struct
import zlib

from stepfast.backends.dynamodb.typed_json import Item, text
from stepfast.language.job_workflow import JOB_WORKFLOW
from stepfast.model import Execution

CHILD = "CHILD-"
"""What the partition of a child begins with, before its status. A list of roots does not read these partitions."""
JOB = "JOB-"
"""The same of a bulk job. Few jobs stand apart from many executions, so both lists read what they show and no more.
They are so few that they share one partition for each status: the sweep pays for each partition, also for an empty one.
"""


def sortable(at: float) -> str:
    """A time as text that sorts as the time does, exactly: the bits of a float from 0 up are in order."""
    return struct.pack(">d", max(0.0, at)).hex()


def time_of(entry: str) -> float:
    """The time that an entry of the index begins with; ValueError or struct.error if there is none."""
    return float(struct.unpack(">d", bytes.fromhex(entry.partition("#")[0]))[0])


def listing_entry(at: float, execution_id: str) -> str:
    """What an execution stands under in its partition of the index."""
    return f"{sortable(at)}#{execution_id}"


def shard_of(execution_id: str, shards: int) -> int:
    return zlib.crc32(execution_id.encode()) % shards


def shards_of(kind: str, shards: int) -> int:
    """Over how many partitions the executions of a kind and a status are spread."""
    return 1 if kind == JOB else shards


def listing_keys(execution_id: str, status: str, created_at: float, shards: int) -> Item:
    """The index keys of a meta. status: with CHILD or JOB before it, as `kind_of` says."""
    shard = shard_of(execution_id, shards_of(JOB if status.startswith(JOB) else "", shards))
    return {
        "list_pk": text(f"{status}#{shard}"),
        "list_sk": text(listing_entry(created_at, execution_id)),
    }


def kind_of(execution: Execution) -> str:
    """What the partition of an execution begins with."""
    if execution.workflow == JOB_WORKFLOW:
        return JOB
    return CHILD if execution.is_child else ""
