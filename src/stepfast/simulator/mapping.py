"""What a stream's mapping to a function is set to, and the lanes its records are sorted into."""

from __future__ import annotations

import zlib

from stepfast.simulator import filters
from stepfast.simulator.lambdas import SimulatedFunction
from stepfast.simulator.lane import Lane, StreamMapping
from stepfast.simulator.streams import Record, Stream
from stepfast.simulator.world import World


class StreamReader:
    """Sorts what passes the filters into lanes: one for each shard, or for each part of it that goes on by itself."""

    def __init__(self, world: World, stream: Stream, function: SimulatedFunction, mapping: StreamMapping) -> None:
        for pattern in mapping.filters:
            filters.check(pattern)
        if not 1 <= mapping.parallelization <= 10:
            raise ValueError(f"a parallelization factor is 1 to 10, not {mapping.parallelization}")
        self._world, self._stream, self._function, self._mapping = world, stream, function, mapping
        self._lanes: dict[tuple[int, int], Lane] = {}
        if mapping.starting_position == "TRIM_HORIZON":
            for record in stream.records:
                self.offer(record)
        stream.readers.append(self)

    def offer(self, record: Record) -> None:
        if not filters.passes(self._mapping.filters, record):
            return
        self._world.happened()
        shard = self._stream.shard_of(record)
        key = record["dynamodb"]["Keys"][self._stream.table.hash_key_attr]
        part = zlib.crc32(f"part {key}".encode()) % self._mapping.parallelization
        lane = self._lanes.get((shard, part))
        if lane is None:
            lane = self._lanes[shard, part] = Lane(self._world, self._stream, self._function, self._mapping, shard)
        lane.offer(record)
