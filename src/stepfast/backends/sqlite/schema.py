"""The tables of the SQLite file, and the steps that bring a file of an earlier version up to them.

A large value stands in `large_values`, and its digest, a BLOB, in its place. All tables that hold values have a
rowid: in a table WITHOUT ROWID the values lie in the tree of keys, and SQLite reads a whole row, however long, to
compare its key (https://sqlite.org/withoutrowid.html, "When To Use WITHOUT ROWID"). Columns that may be long come
last, since SQLite reads a row from its beginning.

A new file is made as version 4 and then takes the same steps as an old one, so the two cannot differ. To change the
tables, raise SCHEMA_VERSION and add a step to STEPS; never change a step that was released.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable

SCHEMA_VERSION = 21
LARGE_VALUE_CHARACTERS = 8192
"""Characters of a value from which on it stands in `large_values`."""

_TABLES_4 = """
CREATE TABLE {executions} (
    execution_id TEXT PRIMARY KEY NOT NULL, workflow TEXT NOT NULL, status TEXT NOT NULL, generation INTEGER NOT NULL,
    first_generation INTEGER NOT NULL, created_at REAL NOT NULL, ended_at REAL, resumed_at REAL, sent TEXT,
    labels TEXT, causes TEXT, error TEXT, input NOT NULL, result
);
CREATE TABLE {commands} (
    execution_id TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
    generation INTEGER NOT NULL, revision INTEGER NOT NULL, attempt INTEGER NOT NULL, interrupted INTEGER NOT NULL,
    token TEXT, lease REAL, due REAL, first_at REAL, started_at REAL, ended_at REAL, chained TEXT, signal TEXT,
    input, output, error TEXT, attempts TEXT, PRIMARY KEY (execution_id, id)
);
CREATE TABLE {cursors} (
    execution_id TEXT PRIMARY KEY NOT NULL, generation INTEGER NOT NULL, revision INTEGER NOT NULL,
    applied TEXT NOT NULL, dispatched TEXT NOT NULL
);
CREATE TABLE {signals} (
    execution_id TEXT NOT NULL, signal_id TEXT NOT NULL, name TEXT NOT NULL, received_at REAL NOT NULL,
    payload NOT NULL, PRIMARY KEY (execution_id, signal_id)
);
CREATE TABLE large_values (
    execution_id TEXT NOT NULL, digest BLOB NOT NULL, bytes INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (execution_id, digest)
);
CREATE TABLE deleted (execution_id TEXT PRIMARY KEY, generation INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX deleted_at ON deleted (at);
"""
_INDEXES_4 = """
CREATE INDEX by_time ON executions (created_at, execution_id);
CREATE INDEX by_status ON executions (status, created_at, execution_id);
CREATE INDEX by_workflow ON executions (workflow, created_at, execution_id);
CREATE INDEX by_end ON executions (ended_at) WHERE status IN ('SUCCEEDED', 'CANCELLED');
"""
_FIGURES = """
CREATE TABLE figures (
    workflow TEXT NOT NULL, hour INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
    failures INTEGER NOT NULL, given_up INTEGER NOT NULL, succeeded INTEGER NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (workflow, hour, name)
) WITHOUT ROWID;
"""
_OTHERS = """
CREATE TABLE labels (
    key TEXT NOT NULL, value TEXT NOT NULL, execution_id TEXT NOT NULL, PRIMARY KEY (key, value, execution_id)
) WITHOUT ROWID;
CREATE TABLE history (
    seq INTEGER PRIMARY KEY, execution_id TEXT NOT NULL, at REAL NOT NULL, type TEXT NOT NULL, command TEXT,
    details TEXT NOT NULL
);
CREATE INDEX history_of ON history (execution_id, seq);
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, execution_id TEXT NOT NULL, command_id TEXT NOT NULL,
    generation INTEGER NOT NULL, pool TEXT NOT NULL, due REAL NOT NULL, sent_at REAL NOT NULL,
    dead INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX messages_of ON messages (execution_id, dead);
CREATE TABLE wakes (seq INTEGER PRIMARY KEY AUTOINCREMENT, execution_id TEXT NOT NULL);
CREATE INDEX wakes_of ON wakes (execution_id);
"""


def _tables_4(suffix: str) -> str:
    return _TABLES_4.format(**{name: name + suffix for name in ("executions", "commands", "cursors", "signals")})


_BASE = 4
_NEW = _tables_4("") + _OTHERS + _FIGURES + _INDEXES_4

_COPIED = {
    "executions": (
        "execution_id, workflow, status, generation, created_at, ended_at, resumed_at, labels, causes, error",
        ("input", "result"),
    ),
    "commands": (
        "execution_id, id, kind, name, status, generation, revision, attempt, interrupted, token, lease, due, "
        "first_at, started_at, ended_at, chained, signal, error, attempts",
        ("input", "output"),
    ),
    "cursors": ("execution_id, generation, revision, applied, dispatched", ()),
    "signals": ("execution_id, signal_id, name, received_at", ("payload",)),
}
"""By table of version 3: the columns that are copied as they are, and those that hold values."""


def _to_4() -> str:
    """Copies each table into one with a rowid; the pages of the old tables are free afterwards, and used again."""
    script = [_tables_4("_4")]
    for table, (plain, values) in _COPIED.items():
        for value in values:
            script.append(
                f"INSERT OR IGNORE INTO large_values SELECT execution_id, stepfast_digest({value}), "
                f"length(CAST({value} AS BLOB)), {value} FROM {table} WHERE length({value}) > {LARGE_VALUE_CHARACTERS};"
            )
        names = ", ".join((plain, *values, *(["first_generation"] if table == "executions" else [])))
        placed = [
            f"iif(length({value}) > {LARGE_VALUE_CHARACTERS}, stepfast_digest({value}), {value})" for value in values
        ]
        columns = ", ".join((plain, *placed, *(["0"] if table == "executions" else [])))
        script.append(f"INSERT INTO {table}_4 ({names}) SELECT {columns} FROM {table};")
        script.append(f"DROP TABLE {table}; ALTER TABLE {table}_4 RENAME TO {table};")
    return "\n".join(script) + _INDEXES_4


_NUMBERED = """
ALTER TABLE signals RENAME TO signals_4;
CREATE TABLE signals (
    seq INTEGER PRIMARY KEY, execution_id TEXT NOT NULL, number INTEGER NOT NULL, total INTEGER NOT NULL,
    signal_id TEXT NOT NULL, name TEXT NOT NULL, received_at REAL NOT NULL, payload NOT NULL
);
INSERT INTO signals (execution_id, number, total, signal_id, name, received_at, payload)
SELECT execution_id, row_number() OVER arrived, sum(size) OVER arrived, signal_id, name, received_at, payload
FROM (
    SELECT s.*, coalesce(
        (SELECT v.bytes FROM large_values AS v WHERE v.execution_id = s.execution_id AND v.digest = s.payload),
        length(CAST(s.payload AS BLOB))
    ) AS size
    FROM signals_4 AS s
) WINDOW arrived AS (PARTITION BY execution_id ORDER BY received_at, signal_id ROWS UNBOUNDED PRECEDING)
ORDER BY received_at, signal_id;
DROP TABLE signals_4;
CREATE UNIQUE INDEX signals_by_number ON signals (execution_id, number, total);
CREATE UNIQUE INDEX signals_by_id ON signals (execution_id, signal_id);
"""
"""Signals get their numbers: in the order of their arrival, as far as their times tell it."""

_LOGGED = """
CREATE TABLE orders (
    seq INTEGER PRIMARY KEY, execution_id TEXT NOT NULL, number INTEGER NOT NULL, generation INTEGER NOT NULL,
    cut INTEGER, ended INTEGER NOT NULL, seal TEXT NOT NULL, applied TEXT NOT NULL, dispatched TEXT NOT NULL,
    withdrawn TEXT NOT NULL
);
INSERT INTO orders (execution_id, number, generation, cut, ended, seal, applied, dispatched, withdrawn)
SELECT execution_id, 0, generation, 0, 0, '', applied, dispatched, '[]' FROM cursors ORDER BY execution_id;
DROP TABLE cursors;
CREATE UNIQUE INDEX orders_by_number ON orders (execution_id, number);
"""
"""The order becomes a log. The order so far becomes the first entry, which cuts off all before it: nothing."""

_LINKED = """
ALTER TABLE executions ADD COLUMN parent TEXT;
ALTER TABLE executions ADD COLUMN link TEXT;
ALTER TABLE commands ADD COLUMN children TEXT;
CREATE INDEX by_parent ON executions (parent) WHERE parent IS NOT NULL;
"""
"""Executions may be children of others. `parent` is of those whose parent still takes them along."""

_RUNS = """
ALTER TABLE executions ADD COLUMN run INTEGER NOT NULL DEFAULT 1;
ALTER TABLE executions ADD COLUMN began_at REAL;
CREATE TABLE runs (
    execution_id TEXT NOT NULL, run INTEGER NOT NULL, generation INTEGER NOT NULL, first_generation INTEGER NOT NULL,
    began_at REAL, resumed_at REAL, ended_at REAL NOT NULL, input NOT NULL, PRIMARY KEY (execution_id, run)
);
CREATE INDEX runs_by_end ON runs (ended_at);
CREATE TABLE taken_signals (
    execution_id TEXT NOT NULL, signal_id TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (execution_id, signal_id)
) WITHOUT ROWID;
"""
"""Executions can continue as new runs. The rows of an earlier run stand under its own name: see runs.py."""

_LIMITS = """
CREATE TABLE limit_items (
    name TEXT NOT NULL, key TEXT NOT NULL, shard INTEGER NOT NULL, moment REAL NOT NULL, turn TEXT NOT NULL,
    gate TEXT NOT NULL, changed_at REAL NOT NULL, idle_at REAL, PRIMARY KEY (name, key, shard)
) WITHOUT ROWID;
CREATE INDEX limits_by_idle ON limit_items (idle_at) WHERE idle_at IS NOT NULL;
CREATE TABLE limit_numbers (name TEXT PRIMARY KEY NOT NULL, numbers TEXT NOT NULL, set_by TEXT NOT NULL) WITHOUT ROWID;
"""
"""Limits: the moments of rates and the gates, by key, and numbers that were set at run time."""

_STARTS = """
ALTER TABLE executions ADD COLUMN start TEXT;
CREATE TABLE start_holds (
    workflow TEXT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, holder TEXT NOT NULL, PRIMARY KEY (workflow, key)
) WITHOUT ROWID;
CREATE TABLE start_lines (
    workflow TEXT NOT NULL, key TEXT NOT NULL, low INTEGER NOT NULL, since REAL NOT NULL, execution_id TEXT NOT NULL,
    PRIMARY KEY (workflow, key, low, since, execution_id)
) WITHOUT ROWID;
CREATE TABLE start_answers (
    execution_id TEXT PRIMARY KEY NOT NULL, workflow TEXT NOT NULL, turned TEXT NOT NULL, became TEXT NOT NULL,
    sent TEXT NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX start_answers_by_time ON start_answers (at);
"""
"""Starts: what an execution's start was turned into, who holds the key of a singleton, the line of each key (`low` is
the priority, negative), and starts that have created nothing."""

_SCHEDULES = """
CREATE TABLE schedules (name TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
"""
"""Schedules: pauses, the last starts, and the moments that wait."""

_LINKS = """
CREATE TABLE link_keys (id INTEGER PRIMARY KEY NOT NULL, version INTEGER NOT NULL, keys TEXT NOT NULL);
CREATE TABLE link_beats (
    execution_id TEXT NOT NULL, link TEXT NOT NULL, at REAL NOT NULL, progress TEXT, PRIMARY KEY (execution_id, link)
) WITHOUT ROWID;
"""
"""Answer links: the keys that sign them, in one row, and the last heartbeat of the external work that has one."""

_WEBHOOKS = """
CREATE TABLE status_changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, execution_id TEXT NOT NULL, workflow TEXT NOT NULL, run INTEGER NOT NULL,
    generation INTEGER NOT NULL, previous TEXT, status TEXT NOT NULL, at REAL NOT NULL, labels TEXT, parent TEXT,
    error_type TEXT, step TEXT
);
CREATE INDEX status_changes_of ON status_changes (execution_id);
CREATE TABLE webhook_deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, event_id TEXT NOT NULL,
    execution_id TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL, made_at REAL NOT NULL,
    attempts INTEGER NOT NULL, due REAL, reason TEXT NOT NULL
);
CREATE UNIQUE INDEX webhook_deliveries_by_event ON webhook_deliveries (webhook, event_id);
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (webhook, due);
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (execution_id, webhook, number);
"""
"""Webhooks: changes of status that are recorded with the change, and what each webhook is still to get. A dead letter
has no `due`. The triggers that record are not in the file: see webhooks.py."""
_LABELS_BY_TIME = """
ALTER TABLE labels RENAME TO labels_before;
CREATE TABLE labels (
    key TEXT NOT NULL, value TEXT NOT NULL, created_at REAL NOT NULL, execution_id TEXT NOT NULL,
    PRIMARY KEY (key, value, created_at, execution_id)
) WITHOUT ROWID;
INSERT INTO labels SELECT before.key, before.value, executions.created_at, execution_id
    FROM labels_before AS before JOIN executions USING (execution_id);
DROP TABLE labels_before;
"""
"""Executions with a label in the order of lists, so that a page of them reads no others."""

_AUDIT = """
CREATE TABLE audit (
    id TEXT PRIMARY KEY NOT NULL, at REAL NOT NULL, caller TEXT NOT NULL, action TEXT NOT NULL,
    execution_id TEXT NOT NULL, target TEXT NOT NULL, why TEXT NOT NULL, count INTEGER NOT NULL, outcome TEXT NOT NULL,
    status INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX audit_of ON audit (execution_id, id) WHERE execution_id != '';
"""
"""The audit list: what callers have asked for. The id of a line sorts by its time."""

_WORKFLOW_PAUSES = """
CREATE TABLE workflow_pauses (
    workflow TEXT PRIMARY KEY NOT NULL, at REAL NOT NULL, caller TEXT, why TEXT
) WITHOUT ROWID;
CREATE TABLE held_starts (
    workflow TEXT NOT NULL, execution_id TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (workflow, execution_id)
) WITHOUT ROWID;
"""
"""The workflows that are paused: what starts of them is held, and noted."""

STEPS: dict[int, str] = {
    1: """
DROP INDEX changed_since;
ALTER TABLE commands DROP COLUMN changed;
ALTER TABLE executions ADD COLUMN resumed_at REAL;
""",
    2: _FIGURES,
    3: _to_4(),
    4: _NUMBERED,
    5: _LOGGED,
    6: _LINKED,
    7: "ALTER TABLE executions ADD COLUMN progress TEXT;\n",
    8: _RUNS,
    9: _LIMITS + "ALTER TABLE executions ADD COLUMN traceparent TEXT; ALTER TABLE commands ADD COLUMN repair TEXT;\n",
    10: _STARTS,
    11: "ALTER TABLE executions ADD COLUMN intervention TEXT;\n",
    12: _SCHEDULES,
    13: "ALTER TABLE commands ADD COLUMN waited TEXT;\n",
    14: _LINKS,
    15: "ALTER TABLE executions ADD COLUMN shown TEXT; ALTER TABLE commands ADD COLUMN progress TEXT;\n",
    16: "ALTER TABLE executions ADD COLUMN forked TEXT;\n",
    17: _WEBHOOKS,
    18: _LABELS_BY_TIME,
    19: _AUDIT,
    20: _WORKFLOW_PAUSES,
}
"""What takes a file from the version named to the next one, in one transaction each."""

SCHEMA = _NEW + "".join(STEPS[old] for old in range(_BASE, SCHEMA_VERSION))
"""All of a new file."""


FORGET = """
DELETE FROM messages WHERE EXISTS (
    SELECT 1 FROM deleted AS d WHERE d.execution_id = messages.execution_id AND messages.generation <= d.generation
);
DELETE FROM deleted;
"""
"""Drops the marks of deleted executions that an earlier owner of the file left: its workers and its memory are gone."""


def digest_of(value: str) -> bytes:
    """The name of a large value among those of its execution."""
    return hashlib.sha256(value.encode()).digest()


def bring_up_to_date(
    connection: sqlite3.Connection, version: int, on_step: Callable[[int], None] = lambda old: None
) -> None:
    """Makes the tables of a new file (version 0), or takes an old one to SCHEMA_VERSION.

    Each step is one transaction: a crash leaves the file as it was before it. `on_step` is called before each.
    """
    if version == 0:
        connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        return
    connection.create_function("stepfast_digest", 1, digest_of, deterministic=True)
    for old in range(version, SCHEMA_VERSION):
        on_step(old)
        connection.executescript(f"BEGIN IMMEDIATE; {STEPS[old]} PRAGMA user_version = {old + 1}; COMMIT;")
