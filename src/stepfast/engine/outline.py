"""What to see first of a long execution, found without reading all of it: what failed, what runs, what it did last.

The order's log says last what was asked for. An execution that does one thing after the other has no log: the last
command of each name is found by its number, since a task counts how often it has used a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from stepfast.engine.record_reader import LAST_IDS, RecordPage, RecordQuery, RecordReader
from stepfast.model import UNDER_WAY, CommandKind, Execution, OrderEntry, Record
from stepfast.records import dataclass

MOST = 20
"""Commands that are shown first."""
ASKED = LAST_IDS
"""Records that are asked for at once."""
ENTRIES = 20
"""Entries of the order's log that are read, from its end."""
NAMES = 4
"""Names whose last command is looked for."""
STEPS = 16
"""Places that are looked at in one round of the search for the last command of a name."""
LARGEST = 1 << 24
_NUMBER = re.compile(r"#(\d+)$")
_RANKS = {"RUNNING": 0, "RETRYING": 1, "OPEN": 2}


@dataclass(frozen=True, slots=True)
class Outline:
    """A page of a long execution's records. notable: what to see first, 20 at most; it may be on another page too."""

    execution: Execution
    page: RecordPage
    notable: tuple[Record, ...] = ()


async def outline_of(reader: RecordReader, execution: Execution, query: RecordQuery) -> Outline:
    """A page of records. The first page comes with what to see first."""
    page = await reader.page(execution, query)
    if query.after:
        return Outline(execution, page)
    return Outline(execution, page, await _notable(reader, execution))


async def _notable(reader: RecordReader, execution: Execution) -> tuple[Record, ...]:
    if execution.status in ("FAILED", "CLOSED"):
        causes = execution.causes[:MOST]
        records = await reader.named(execution, causes)
        return tuple(records[id] for id in causes if id in records)
    if execution.status not in UNDER_WAY:
        return ()
    asked = _asked_for(await reader.last_entries(execution.run_id, ENTRIES), execution.generation)
    under_way = _under_way(asked, await reader.named(execution, asked), execution) if asked else []
    if not under_way:
        last = await _last_of_each(reader, execution, await _names(reader, execution))
        under_way = _under_way(dict.fromkeys([*_chained(last, execution), *last]), last, execution)
        if not under_way:  # It waits for what has no record yet, as for a timer or a signal.
            return tuple(sorted(last.values(), key=lambda record: -(record.ended_at or 0.0)))
    return tuple(sorted(under_way, key=lambda record: _RANKS[record.status])[:MOST])


def _asked_for(entries: Iterable[OrderEntry], generation: int) -> list[str]:
    """The commands that the order has asked for last and neither applied nor withdrawn since."""
    gone: set[str] = set()
    asked: dict[str, None] = {}
    for entry in entries:
        if entry.generation != generation:
            break
        gone.update(entry.withdrawn)
        asked |= dict.fromkeys(id for id in reversed(entry.dispatched) if id not in gone)
        gone.update(entry.applied)
        if entry.cut is not None or len(asked) >= ASKED:
            break
    return list(asked)[:ASKED]


def _under_way(asked: Iterable[str], records: Mapping[str, Record], execution: Execution) -> list[Record]:
    """Those that have no outcome. A command without a record waits for a worker, or for what it is named after."""
    claims = {record.then.id: record.then for record in records.values() if record.then is not None}
    under_way = []
    for id in asked:
        record = records.get(id)
        if record is None:
            record = _unrecorded(id, execution.generation)
        if record.recorded:
            continue
        claim = claims.get(id)
        if claim is not None and claim.generation == execution.generation and record.status == "OPEN":
            record = replace(
                record,
                status="RUNNING",
                attempt=1,
                lease=claim.lease,
                first_at=claim.started_at,
                started_at=claim.started_at,
            )
        under_way.append(record)
    return under_way


def _chained(records: Mapping[str, Record], execution: Execution) -> list[str]:
    """The commands that were claimed with the outcome of another."""
    chained = (record.then for record in records.values() if record.then is not None)
    return [then.id for then in chained if then.generation == execution.generation]


def _unrecorded(id: str, generation: int) -> Record:
    """A record of what the id of a command says."""
    name = _NUMBER.sub("", id.rpartition("/")[2])
    kind: CommandKind = "signal" if name.startswith("signal:") else "timer" if name == ":timer" else "step"
    return Record(id, kind, name.removeprefix("signal:").removeprefix(":"), "OPEN", generation, revision=0)


async def _names(reader: RecordReader, execution: Execution) -> list[str]:
    """The first few ids without their numbers. All that have the same are passed over."""
    names: list[str] = []
    after = ""
    while len(names) < NAMES:
        records = (await reader.page(execution, RecordQuery(limit=1, after=after))).records
        if not records:
            break
        names.append(_NUMBER.sub("", records[0].id))
        after = f"{names[-1]}#:"  # a colon comes after all digits
    return names


async def _last_of_each(reader: RecordReader, execution: Execution, names: Sequence[str]) -> dict[str, Record]:
    """The last record of each name. All names are looked for at the same time, in a few rounds."""
    low = dict.fromkeys(names, 1)
    high = dict.fromkeys(names, LARGEST)
    records: dict[str, Record] = {}
    while open_names := [name for name in names if high[name] - low[name] > 1]:
        places = {name: _places(low[name], high[name]) for name in open_names}
        ids = {_numbered(name, place): (name, place) for name in open_names for place in places[name]}
        held = await reader.named(execution, list(ids))
        records |= held
        for id in held:
            name, place = ids[id]
            low[name] = max(low[name], place)
        for name in open_names:
            high[name] = min(place for place in [*places[name], high[name]] if place > low[name])
    last = {_numbered(name, low[name]) for name in names}
    missing = [id for id in last if id not in records]
    records |= await reader.named(execution, missing) if missing else {}
    return {id: records[id] for id in last if id in records}


def _places(low: int, high: int) -> list[int]:
    """A few numbers between two: powers of two while little is known, then evenly spaced."""
    if low == 1 and high == LARGEST:
        return [1 << shift for shift in range(1, LARGEST.bit_length() - 1)]
    step = max(1, (high - low) // STEPS)
    return list(range(low + step, high, step))


def _numbered(name: str, place: int) -> str:
    return name if place == 1 else f"{name}#{place}"
