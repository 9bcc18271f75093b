"""Rows of the SQLite file to values of the model and back; large values are named in them by a digest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pydantic_core import to_json

from stepfast.backends.sqlite.schema import LARGE_VALUE_CHARACTERS, digest_of
from stepfast.engine.messages import Message
from stepfast.engine.ports import Delivery, Fault
from stepfast.engine.start_items import start_in, start_text
from stepfast.model import Attempt, Chained, Cursor, Execution, Failure, Link, OrderEntry, Record, Signal
from stepfast.standing import Intervention, forked_in, forked_text
from stepfast.stored_text import Text, text_of
from stepfast.unguarded import unguarded

_EXECUTION = (
    "execution_id", "workflow", "status", "generation", "first_generation", "input", "result", "error", "causes",
    "labels", "created_at", "ended_at", "resumed_at", "sent", "link", "progress", "run", "began_at", "traceparent",
    "start",
    "intervention", "shown", "forked",
)  # fmt: skip
_EXECUTION_ROW = (*_EXECUTION, "parent")
_RECORD = tuple("chained" if attribute.name == "then" else attribute.name for attribute in fields(Record))
RECORD = _RECORD
"""The columns of SELECT_RECORD and SELECT_PLACED."""
_ENTRY = ("number", "generation", "applied", "dispatched", "withdrawn", "cut", "ended", "seal")
_SIGNAL = ("signal_id", "name", "payload", "received_at", "number")
_VALUES = frozenset({"input", "result", "output", "payload"})
"""The columns that may name a large value."""
_MESSAGE = ("kind", "execution_id", "command_id", "generation", "pool", "due", "sent_at")


def _insert(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return (
        f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + column for column in columns)}) ON CONFLICT DO NOTHING"
    )


def _update(table: str, columns: tuple[str, ...], where: str) -> str:
    return f"UPDATE {table} SET {', '.join(f'{column} = :{column}' for column in columns)} WHERE {where}"


def _columns(columns: tuple[str, ...], table: str) -> str:
    """The columns of a table, with the large values that they name in place."""
    return ", ".join(_value(column, table) if column in _VALUES else f"{table}.{column}" for column in columns)


def _value(column: str, table: str) -> str:
    held = (
        f"SELECT v.value FROM large_values AS v "
        f"WHERE v.execution_id = {table}.execution_id AND v.digest = {table}.{column}"
    )
    return f"CASE typeof({table}.{column}) WHEN 'blob' THEN ({held}) ELSE {table}.{column} END"


def _bytes(column: str, table: str) -> str:
    """How long a value is; of a large one this reads its row's beginning alone."""
    held = (
        f"SELECT v.bytes FROM large_values AS v "
        f"WHERE v.execution_id = {table}.execution_id AND v.digest = {table}.{column}"
    )
    inline = f"length(CAST({table}.{column} AS BLOB))"
    return f"CASE typeof({table}.{column}) WHEN 'blob' THEN ({held}) WHEN 'text' THEN {inline} ELSE 0 END"


SELECT_EXECUTION = f"SELECT {_columns(_EXECUTION, 'executions')} FROM executions"
SELECT_HEAD = (
    f"SELECT {_columns(_EXECUTION, 'e')}, o.number, o.generation, "
    "EXISTS (SELECT 1 FROM commands WHERE execution_id = e.execution_id), "
    "EXISTS (SELECT 1 FROM signals WHERE execution_id = e.execution_id) "
    "FROM executions AS e LEFT JOIN orders AS o ON o.execution_id = e.execution_id "
    "AND o.number = (SELECT max(number) FROM orders WHERE execution_id = e.execution_id) WHERE e.execution_id = ?"
)
"""An execution, number and generation of the last entry of its order, and whether it has records, and signals."""
SELECT_BRIEF = (
    "SELECT "
    + ", ".join({"input": "''", "result": "NULL"}.get(column, column) for column in _EXECUTION)
    + " FROM executions"
)
"""The same without the values, which then are not read."""
SELECT_BYTES = (
    f"SELECT execution_id, {_bytes('input', 'executions')} + {_bytes('result', 'executions')} FROM executions"
)
"""How many bytes the values of an execution have together."""
SELECT_FAULT = "SELECT execution_id, workflow, created_at, generation - first_generation, error FROM executions"
INSERT_EXECUTION = (
    f"INSERT INTO executions ({', '.join(_EXECUTION_ROW)}) SELECT {', '.join('?' * len(_EXECUTION_ROW))} "
    "WHERE NOT EXISTS (SELECT 1 FROM deleted WHERE execution_id = ? AND generation >= ?)"
    " ON CONFLICT DO NOTHING"
)
UPDATE_EXECUTION = (
    "UPDATE executions SET status = ?, generation = ?, result = ?, error = ?, causes = ?, ended_at = ?, "
    "resumed_at = ?, intervention = ? WHERE execution_id = ? AND status = ? AND generation = ?"
)
UPDATE_LINK = _update(
    "executions",
    ("link", "parent"),
    "execution_id = :execution_id AND status = :status AND generation = :generation AND link = :if_link",
)
UPDATE_INPUT = "UPDATE executions SET input = ? WHERE execution_id = ?"
UPDATE_PROGRESS = "UPDATE executions SET progress = ? WHERE execution_id = ? AND status = 'RUNNING' AND generation = ?"
UPDATE_SHOWN = _update(
    "executions",
    ("shown", "labels"),
    "execution_id = :execution_id AND generation = :generation AND coalesce(shown, '') < :floor",
)
UPDATE_RUN = _update(
    "executions",
    ("generation", "first_generation", "resumed_at", "run", "began_at", "input", "progress"),
    "execution_id = :execution_id AND status = 'RUNNING' AND generation = :if_generation",
)
SELECT_RECORD = f"SELECT {_columns(_RECORD, 'commands')} FROM commands"
SELECT_PLACED = (
    f"SELECT {', '.join('c.' + column for column in _RECORD)}, {_bytes('input', 'c')}, {_bytes('output', 'c')} "
    "FROM commands AS c"
)
"""A record as it stands in its row, where a large value is its digest; and how long its input and its output are."""
_RECORD_ROW = ("execution_id", *_RECORD)


def insert_record(columns: tuple[str, ...]) -> str:
    """The statement that puts the first record of a command, with these columns."""
    return (
        f"INSERT INTO commands ({', '.join(columns)}) SELECT {', '.join('?' * len(columns))}"
        " WHERE EXISTS (SELECT 1 FROM executions WHERE execution_id = ? AND first_generation <= ?)"
        " ON CONFLICT DO NOTHING"
    )


INSERT_RECORD = insert_record(_RECORD_ROW)
_KEYS = 2
"""Columns of _RECORD_ROW that are the key: SQLite would write the key's index anew for an update that sets them."""
IF_FOLLOWS = "execution_id = ? AND id = ? AND revision = ? AND generation <= ?"
UPDATE_RECORD = (
    f"UPDATE commands SET ({', '.join(_RECORD_ROW[_KEYS:])}) = ({', '.join('?' * (len(_RECORD_ROW) - _KEYS))})"
    f" WHERE {IF_FOLLOWS}"
)
INSERT_LARGE = "INSERT INTO large_values VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
SELECT_ENTRY = f"SELECT {', '.join(_ENTRY)} FROM orders"
LAST_ENTRY = "SELECT number, generation FROM orders WHERE execution_id = ? ORDER BY number DESC LIMIT 1"
INSERT_ENTRY = (
    f"INSERT INTO orders (execution_id, {', '.join(_ENTRY)}) "
    f"SELECT :execution_id, {', '.join(':' + column for column in _ENTRY)} WHERE EXISTS "
    "(SELECT 1 FROM executions WHERE execution_id = :execution_id AND first_generation <= :generation)"
    " ON CONFLICT DO NOTHING"
)
SELECT_SIGNAL = f"SELECT {_columns(_SIGNAL, 'signals')} FROM signals"
SELECT_SIGNAL_HEAD = "SELECT signal_id, name, '', received_at, number FROM signals"
INSERT_SIGNAL = _insert("signals", ("execution_id", "total", *_SIGNAL))
SELECT_MESSAGE = f"SELECT seq, {', '.join(_MESSAGE)} FROM messages"
INSERT_MESSAGE = f"INSERT INTO messages (seq, {', '.join(_MESSAGE)}) VALUES (?{', ?' * len(_MESSAGE)})"


@unguarded
@dataclass(frozen=True, slots=True)
class Write:
    """A statement that writes one row, and the large values that the row names.

    `large` is written after the row, and only if the row was: rows of INSERT_LARGE.
    """

    sql: str
    values: Any
    large: tuple[tuple[Any, ...], ...] = ()


class _Placed:
    """Puts the values of one row where they belong."""

    def __init__(self, execution_id: str) -> None:
        self._execution_id = execution_id
        self.large: tuple[tuple[Any, ...], ...] = ()

    def __call__(self, stored: Text | None) -> str | bytes | None:
        """What stands in the row: the value, or its digest where it is large."""
        if stored is None or (type(stored) is str and len(stored) <= LARGE_VALUE_CHARACTERS):
            return stored
        value = text_of(stored)
        if value is None or len(value) <= LARGE_VALUE_CHARACTERS:
            return value
        digest = digest_of(value)
        self.large += ((self._execution_id, digest, len(value.encode()), value),)
        return digest


def _failure(text: str | None) -> Failure | None:
    return None if text is None else _failure_of(json.loads(text))


def _failure_of(held: dict[str, Any]) -> Failure:
    return Failure(**{**held, "bases": tuple(held.get("bases", ()))})


def _failure_text(failure: Failure | None) -> str | None:
    return None if failure is None else json.dumps(asdict(failure))


def execution(row: tuple[Any, ...]) -> Execution:
    (
        execution_id, workflow, status, generation, first_generation, input, result, error, causes, labels, created_at,
        ended_at, resumed_at, sent, link, progress, run, began_at, traceparent, start, intervention,
        shown, forked,
    ) = row  # fmt: skip
    return Execution(
        execution_id, workflow, input, created_at, status, generation, result, _failure(error),
        json.loads(labels) if labels else {}, ended_at, tuple(json.loads(causes)) if causes else (), resumed_at,
        first_generation, sent, Link(*json.loads(link)) if link else None, progress, run, began_at,
        traceparent=traceparent, start=start_in(start),
        intervention=Intervention(**json.loads(intervention)) if intervention else None,
        shown=shown,
        forked=forked_in(forked),
    )  # fmt: skip


def head(row: tuple[Any, ...]) -> tuple[Execution, Cursor, bool, bool]:
    """What SELECT_HEAD has found; of the order no more than how far its log goes."""
    number, generation, has_records, has_signals = row[len(_EXECUTION) :]
    cursor = Cursor() if number is None else Cursor(generation=generation, revision=number + 1)
    return execution(row[: len(_EXECUTION)]), cursor, bool(has_records), bool(has_signals)


def fault(row: tuple[Any, ...]) -> Fault:
    execution_id, workflow, created_at, generation, error = row
    failure = _failure(error)
    step, type, error_class = (failure.step, failure.type, failure.error_class) if failure else (None, None, None)
    return Fault(execution_id, workflow, created_at, step, type, generation, error_class)


def execution_write(execution: Execution) -> Write:
    """The statement that puts a new execution."""
    placed, link = _Placed(execution.execution_id), execution.link
    row = (
        execution.execution_id, execution.workflow, execution.status, execution.generation, execution.first_generation,
        placed(execution.input), placed(execution.result), _failure_text(execution.error),
        json.dumps(execution.causes) if execution.causes else None,
        json.dumps(dict(execution.labels)) if execution.labels else None,
        execution.created_at, execution.ended_at, execution.resumed_at, execution.sent, _link_text(link),
        execution.progress, execution.run, execution.began_at, execution.traceparent, start_text(execution.start),
        intervention_text(execution), execution.shown, forked_text(execution.forked), _parent(link),
    )  # fmt: skip
    return Write(INSERT_EXECUTION, (*row, execution.execution_id, execution.generation), placed.large)


def status_write(execution: Execution, status: str, generation: int) -> Write:
    """The statement that writes how an execution stands if the stored one stands like this."""
    placed = _Placed(execution.execution_id)
    values = (
        execution.status, execution.generation, placed(execution.result), _failure_text(execution.error),
        json.dumps(execution.causes) if execution.causes else None, execution.ended_at, execution.resumed_at,
        intervention_text(execution), execution.execution_id, status, generation,
    )  # fmt: skip
    return Write(UPDATE_EXECUTION, values, placed.large)


def intervention_text(execution: Execution) -> str | None:
    return None if execution.intervention is None else json.dumps(asdict(execution.intervention))


def link_write(execution: Execution, link: Link) -> Write:
    """The statement that writes the link of a child that stands like this."""
    values = {
        "execution_id": execution.execution_id,
        "status": execution.status,
        "generation": execution.generation,
        "link": _link_text(link),
        "parent": _parent(link),
        "if_link": _link_text(execution.link),
    }
    return Write(UPDATE_LINK, values)


LINK_RUN = [field.name for field in fields(Link)].index("run")
"""The place of the parent's run in the JSON list of a link."""


def _link_text(link: Link | None) -> str | None:
    return None if link is None else json.dumps(list(asdict(link).values()))


def _parent(link: Link | None) -> str | None:
    """The execution that takes a child along; None once it has left the child to itself."""
    return None if link is None or link.left else link.parent


def run_write(execution: Execution, generation: int) -> Write:
    """The statement that begins a new run if the stored execution is RUNNING in this generation."""
    placed = _Placed(execution.execution_id)
    names = ("execution_id", "generation", "first_generation", "resumed_at", "run", "began_at", "progress")
    values = {name: getattr(execution, name) for name in names} | {"if_generation": generation}
    return Write(UPDATE_RUN, values | {"input": placed(execution.input)}, placed.large)


def input_write(execution_id: str, input: str) -> Write:
    """The statement that gives an execution that has not begun another input."""
    placed = _Placed(execution_id)
    return Write(UPDATE_INPUT, (placed(input), execution_id), placed.large)


def record(row: tuple[Any, ...], opened_at: float) -> Record:
    """The record of a row; claims older than `opened_at` were a dead process's, so their lease is over."""
    (
        id, kind, name, status, generation, revision, attempt, interrupted, token, lease, due, input, output, error,
        first_at, started_at, ended_at, chained, signal, attempts, children, repair, waited, progress,
    ) = row  # fmt: skip
    then = Chained(*json.loads(chained)) if chained else None
    if then is not None and then.started_at < opened_at:
        then = replace(then, lease=0.0)
    if status == "RUNNING" and (started_at or 0.0) < opened_at:
        lease = 0.0
    past = tuple(map(_attempt, json.loads(attempts))) if attempts else ()
    return Record(
        id, kind, name, status, generation, revision, attempt, interrupted, token, lease, due, input, output,
        _failure(error), first_at, started_at, ended_at, then, signal, past,
        tuple(json.loads(children)) if children else (), repair, waited, progress,
    )  # fmt: skip


def _attempt(held: dict[str, Any]) -> Attempt:
    return Attempt(**{**held, "error": held["error"] and _failure_of(held["error"])})


def record_write(execution_id: str, record: Record) -> Write:
    """The statement that writes a record if the stored one has the revision before it.

    It writes nothing over a later generation's record, nor into an execution that was started after the record's
    own was deleted.
    """
    then, placed = record.then, _Placed(execution_id)
    row = (
        execution_id, record.id, record.kind, record.name, record.status, record.generation, record.revision,
        record.attempt, record.interrupted, record.token, record.lease, record.due, placed(record.input),
        placed(record.output), _failure_text(record.error), record.first_at, record.started_at, record.ended_at,
        chained_text(then) if then else None,
        record.signal,
        json.dumps([asdict(attempt) for attempt in record.attempts]) if record.attempts else None,
        json.dumps(record.children) if record.children else None,
        record.repair,
        record.waited,
        record.progress,
    )  # fmt: skip
    if record.revision == 1:
        return Write(INSERT_RECORD, (*row, execution_id, record.generation), placed.large)
    where = (execution_id, record.id, record.revision - 1, record.generation)
    return Write(UPDATE_RECORD, (*row[_KEYS:], *where), placed.large)


def signal_write(execution_id: str, signal: Signal, number: int, total: int) -> Write:
    """The statement that puts a signal if its id is free; number, total: see signals.py."""
    placed = _Placed(execution_id)
    values = {name: getattr(signal, name) for name in _SIGNAL} | {"execution_id": execution_id}
    values |= {"payload": placed(signal.payload), "number": number, "total": total}
    return Write(INSERT_SIGNAL, values, placed.large)


def chained_text(then: Chained) -> str:
    # In every write of a chain: pydantic's serializer is an order of magnitude faster than json.dumps.
    return to_json((then.id, then.lease, then.generation, then.digest, then.started_at)).decode()


def entry(row: tuple[Any, ...]) -> OrderEntry:
    number, generation, applied, dispatched, withdrawn, cut, ended, seal = row
    ids = [tuple(json.loads(text)) if text != "[]" else () for text in (applied, dispatched, withdrawn)]
    return OrderEntry(number, generation, ids[0], ids[1], ids[2], cut, bool(ended), seal)


def entry_values(execution_id: str, entry: OrderEntry) -> dict[str, Any]:
    return {
        "execution_id": execution_id,
        "number": entry.number,
        "generation": entry.generation,
        "applied": json.dumps(entry.applied),
        "dispatched": json.dumps(entry.dispatched),
        "withdrawn": json.dumps(entry.withdrawn),
        "cut": entry.cut,
        "ended": entry.ended,
        "seal": entry.seal,
    }


def message_values(seq: int, delivery: Delivery, due: float) -> tuple[Any, ...]:
    message = delivery.message
    return (
        seq, message.kind, message.execution_id, message.command_id, message.generation, message.pool, due,
        delivery.sent_at,
    )  # fmt: skip


def stored(row: tuple[Any, ...]) -> tuple[int, float, Delivery]:
    seq, kind, execution_id, command_id, generation, pool, due, sent_at = row
    return seq, due, Delivery(Message(kind, execution_id, command_id, generation, pool), sent_at, due)
