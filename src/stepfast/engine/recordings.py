"""Pages of what is recorded of an execution, with its values: what `stepfast verify` and `stepfast pull` read.

The records come first, then the signals and the history, and the execution with its order at last. So the records are
never newer than the order, as in every read of a store. Clients compare the run and the generation of the pages. An
earlier run changes no more, so that all of it is one page where it is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from stepfast.engine.order import cursor_of
from stepfast.engine.ports import Store
from stepfast.engine.record_reader import PAGE_BYTES, RecordQuery
from stepfast.errors import ExecutionNotFound, InvalidRequest
from stepfast.model import Cursor, Event, Execution, Record, Signal
from stepfast.records import dataclass
from stepfast.stored_text import StoredText, Text, text_of

T = TypeVar("T")
RECORDS = 1000
"""Records of a page at most."""
PIECE_CHARACTERS = 1_000_000
"""Characters of a value above which it is read by itself, in pieces of this length."""
_FIRST = "r:"


@dataclass(frozen=True, slots=True)
class RecordingPage:
    """A part of the recording. execution, order: only of the last page. next: where the next page begins, or None."""

    run: int
    generation: int
    records: Sequence[Record] = ()
    signals: Sequence[Signal] = ()
    history: Sequence[Event] = ()
    execution: Execution | None = None
    order: Cursor | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class ValuePiece:
    """A part of the JSON text of a value. next: where the next piece begins, in characters, or None."""

    text: str
    next: int | None


async def page(store: Store, execution_id: str, cursor: str | None, run: int | None = None) -> RecordingPage | None:
    """The page behind a cursor; None where there is no such execution. run: an earlier run; by default the current one.

    Raises InvalidRequest for an unknown cursor, and ExecutionNotFound where no such run is kept.
    """
    execution = await store.read(execution_id)
    if execution is None:
        return None
    part, colon, place = (cursor or _FIRST).partition(":")
    if not colon or not (part == "r" or (part in ("s", "h") and place.isdecimal()) or (part == "e" and not place)):
        raise InvalidRequest("this is no cursor of a recording", (("cursor", "unknown"),))
    if run is not None and run != execution.run:
        return await _earlier_page(store, await earlier_run(store, execution_id, run), part, place)
    run, generation = execution.run, execution.generation
    if part == "r":
        return await _records(store, execution, place)
    if part == "s":
        signals, following = _share(await store.signals(execution.run_id), int(place), "s", "h:0")
        return RecordingPage(run, generation, signals=signals, next=following)
    if part == "h":
        history, following = _share(await store.history(execution.run_id), int(place), "h", "e:")
        return RecordingPage(run, generation, history=history, next=following)
    # The order is read before the execution: of a later run or generation, both are read again.
    entries = await store.entries(execution.run_id)
    now = await store.read(execution_id)
    return None if now is None else RecordingPage(now.run, now.generation, execution=now, order=cursor_of(entries))


async def _records(store: Store, execution: Execution, place: str) -> RecordingPage:
    query = RecordQuery(limit=RECORDS, after=place, largest=PIECE_CHARACTERS)
    read = await store.reader.page(execution, query)
    following = "s:0" if read.next is None else f"r:{read.next}"
    return RecordingPage(execution.run, execution.generation, read.records, next=following)


async def _earlier_page(store: Store, ended: Execution, part: str, place: str) -> RecordingPage:
    """A page of an earlier run; all of the run if it is small."""
    records = await _records(store, ended, place) if part == "r" else RecordingPage(ended.run, ended.generation)
    if part == "r" and (place or records.next != "s:0"):
        return records
    snapshot = await store.load_run(ended.execution_id, ended.run)
    if snapshot is None:
        raise no_run(ended.execution_id, ended.run)
    if part == "s":
        signals, following = _share(snapshot.signals, int(place), "s", "h:0")
        return replace(records, signals=signals, next=following)
    history = [] if part == "e" else await store.run_history(ended.execution_id, ended.run)
    if part == "h":
        shared, following = _share(history, int(place), "h", "e:")
        return replace(records, history=shared, next=following)
    whole = replace(records, execution=snapshot.execution, order=snapshot.cursor, next=None)
    if part == "e":
        return whole
    sizes = [*map(_size, [*records.records, *snapshot.signals, *history]), len(snapshot.execution.input)]
    return replace(whole, signals=snapshot.signals, history=history) if sum(sizes) <= PAGE_BYTES else records


async def earlier_run(store: Store, execution_id: str, run: int) -> Execution:
    """The execution as this earlier run has left it; ExecutionNotFound where no such run is kept."""
    for earlier in await store.runs(execution_id, 1, run + 1):
        if earlier.run == run:
            return earlier
    raise no_run(execution_id, run)


def no_run(execution_id: str, run: int) -> ExecutionNotFound:
    return ExecutionNotFound(f"execution {execution_id!r} has no run {run}, or its run {run} is kept no longer")


def _share(items: Sequence[T], begin: int, part: str, following: str) -> tuple[Sequence[T], str]:
    """The items from a place on that fit into a page, one at least, and the cursor of what comes next."""
    room, end = PAGE_BYTES, begin
    while end < len(items) and (room > 0 or end == begin):
        room -= _size(items[end])
        end += 1
    return items[begin:end], following if end >= len(items) else f"{part}:{end}"


def _size(item: object) -> int:
    if isinstance(item, Record):
        return 200 + _length(item.input) + _length(item.output)
    return 200 + (len(item.payload) if isinstance(item, Signal) else len(repr(item)))


def _length(text: Text | None) -> int:
    if isinstance(text, StoredText):
        return PAGE_BYTES if text.size is None else text.size
    return len(text or "")


async def value(
    store: Store, execution_id: str, command: str | None, name: str, offset: int, run: int | None = None
) -> ValuePiece:
    """A piece of a large value: of a command its input or output, of the execution its input or result.

    run: an earlier run; by default the current one. Raises ExecutionNotFound, and InvalidRequest where there is no such
    value.
    """
    execution = await store.read(execution_id)
    if execution is None:
        raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
    if run is not None and run != execution.run:
        execution = await earlier_run(store, execution_id, run)
    if command is None:
        text = {"input": execution.input, "result": execution.result}.get(name)
    else:
        record = (await store.reader.named(execution, [command])).get(command)
        text = None if record is None else text_of({"input": record.input, "output": record.output}.get(name))
    if text is None or offset > len(text):
        whose = "the execution" if command is None else f"the command {command!r}"
        raise InvalidRequest(f"{whose} has no {name} at {offset}", (("name", "unknown"),))
    end = offset + PIECE_CHARACTERS
    return ValuePiece(text[offset:end], end if end < len(text) else None)
