"""One transaction of the file, which the writes of one turn share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stepfast.backends.sqlite.rows import INSERT_LARGE, Write
from stepfast.engine.metrics import Tally
from stepfast.model import Record


@dataclass(slots=True)
class Transaction:
    """What a write gets: the connection, and what to do right before its commit and once it is on disk.

    before: done before the commit. figures: what is added to the table of figures, by workflow, hour and name. after:
    done first after the commit. wakes: by execution, the wake that its first write in this transaction has put; they
    are reported last, so that whoever is woken sees all that was committed with the wake. sealed: the encrypted
    executions that it deletes, each with the text that names its data key. records: those that it writes, each with its
    execution.
    """

    connection: sqlite3.Connection
    before: list[Callable[[Transaction], None]] = field(default_factory=list)
    figures: dict[tuple[str, int, str], Tally] = field(default_factory=dict)
    after: list[Callable[[], None]] = field(default_factory=list)
    wakes: dict[str, Callable[[], None]] = field(default_factory=dict)
    sealed: list[tuple[str, str]] = field(default_factory=list)
    records: list[tuple[str, Record]] = field(default_factory=list)

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, parameters)

    def put(self, write: Write) -> bool:
        """Writes a row and the large values that it names; False when its condition does not hold."""
        written = self.connection.execute(write.sql, write.values).rowcount == 1
        if written and write.large:
            self.connection.executemany(INSERT_LARGE, write.large)
        return written

    def complete(self) -> None:
        """Does what comes right before the commit."""
        for act in self.before:
            act(self)

    def committed(self) -> None:
        """Does what waits for the commit."""
        for act in self.after:
            act()
        for wake in self.wakes.values():
            wake()
