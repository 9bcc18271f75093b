"""Pages of what is recorded of an execution, with its values: what `stepfast verify` and `stepfast pull` read.

The records come first, then the signals and the history, and the execution with its order at last. So the records are
never newer than the order, as in every read of a store. Clients compare the run and the generation of the pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from stepfast.engine.order import cursor_of
from stepfast.engine.ports import Store
from stepfast.engine.record_reader import PAGE_BYTES, RecordQuery
from stepfast.errors import ExecutionNotFound, InvalidRequest
from stepfast.model import Cursor, Event, Execution, Record, Signal
from stepfast.records import dataclass
from stepfast.stored_text import text_of

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


async def page(store: Store, execution_id: str, cursor: str | None) -> RecordingPage | None:
    """The page behind a cursor; None where there is no such execution. InvalidRequest for an unknown cursor."""
    execution = await store.read(execution_id)
    if execution is None:
        return None
    run, generation = execution.run, execution.generation
    part, colon, place = (cursor or _FIRST).partition(":")
    if part == "r" and colon:
        query = RecordQuery(limit=RECORDS, after=place, largest=PIECE_CHARACTERS)
        read = await store.reader.page(execution, query)
        following = "s:0" if read.next is None else f"r:{read.next}"
        return RecordingPage(run, generation, read.records, next=following)
    if part == "s" and place.isdecimal():
        signals, following = _share(await store.signals(execution.run_id), int(place), "s", "h:0")
        return RecordingPage(run, generation, signals=signals, next=following)
    if part == "h" and place.isdecimal():
        history, following = _share(await store.history(execution.run_id), int(place), "h", "e:")
        return RecordingPage(run, generation, history=history, next=following)
    if part == "e" and colon and not place:
        # The order is read before the execution: of a later run or generation, both are read again.
        entries = await store.entries(execution.run_id)
        now = await store.read(execution_id)
        if now is None:
            return None
        return RecordingPage(now.run, now.generation, execution=now, order=cursor_of(entries))
    raise InvalidRequest("this is no cursor of a recording", (("cursor", "unknown"),))


def _share(items: Sequence[T], begin: int, part: str, following: str) -> tuple[Sequence[T], str]:
    """The items from a place on that fit into a page, one at least, and the cursor of what comes next."""
    room, end = PAGE_BYTES, begin
    while end < len(items) and (room > 0 or end == begin):
        room -= _size(items[end])
        end += 1
    return items[begin:end], following if end >= len(items) else f"{part}:{end}"


def _size(item: object) -> int:
    return 200 + (len(item.payload) if isinstance(item, Signal) else len(repr(item)))


async def value(store: Store, execution_id: str, command: str | None, name: str, offset: int) -> ValuePiece:
    """A piece of a large value: of a command its input or output, of the execution its input or result.

    Raises ExecutionNotFound, and InvalidRequest where there is no such value.
    """
    execution = await store.read(execution_id)
    if execution is None:
        raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
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
