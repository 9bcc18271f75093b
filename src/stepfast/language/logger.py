"""`stepfast.logger`: workflow code logs each line once, although it runs again at each replay.

The lines of a replay are held until its caller has written the progress of the code, and then passed to the handlers.
The advancer does so after its pass, and a worker after the write that claims the next step or ends the execution. A
replay that only repeats recorded progress drops its lines: a worker that begins a step, the sweep, `stepfast verify`.
A crash between the write and the handlers, or two advancers that race, can lose or repeat a line.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from stepfast.language import context
from stepfast.language.workflow_loop import in_workflow

if TYPE_CHECKING:
    from stepfast.model import Chained, Execution, Record

MAX_HELD_LINES = 10_000
"""A pass that logs more lines keeps the newest."""

logger = logging.getLogger("stepfast.workflow")
"""The logger for workflow code and steps. Workflow code logs each line once, although it runs again at each replay.

A record of workflow code has the fields execution_id and workflow; a record of a step has execution_id, step_id and
attempt.
"""


class LogLines:
    """The log records of one replay that were not passed to the handlers yet."""

    def __init__(
        self,
        execution: Execution,
        records: Mapping[str, Record],
        chained: Mapping[str, Chained],
        issued: Mapping[str, object],
    ) -> None:
        self._fields = {"execution_id": execution.execution_id, "workflow": execution.workflow}
        self._records, self._chained, self._issued = records, chained, issued
        self._reached = 0
        self._held: deque[logging.LogRecord] = deque(maxlen=MAX_HELD_LINES)

    def add(self, record: logging.LogRecord, repeats: bool) -> None:
        """Holds a record, unless the code repeats progress of an earlier pass."""
        if repeats or self.is_behind():
            return
        record.msg, record.args = record.getMessage(), ()  # formatted now, since workflow code may change the arguments
        vars(record).update(self._fields)
        self._held.append(record)

    def is_behind(self) -> bool:
        """Whether an earlier pass got further: a command is recorded or claimed that this replay has not issued yet."""
        if any(id not in self._issued for id in self._chained):
            return True
        new = len(self._records) - self._reached
        if any(id not in self._issued for id in islice(reversed(self._records.keys()), new)):  # type: ignore[call-overload]
            return True
        self._reached = len(self._records)
        return False

    def drop(self) -> None:
        """Forgets the held records."""
        self._held.clear()

    def flush(self) -> None:
        """Passes the held records to the handlers of the logger, in order."""
        while self._held:
            logger.callHandlers(self._held.popleft())


def _hold(record: logging.LogRecord) -> bool:
    """A filter for the logger. It returns False for a record of workflow code, which goes to the replay to be held."""
    commands = in_workflow()
    if commands is None:
        fields: dict[str, Any] = context.log_fields()
        for name, value in fields.items():
            record.__dict__.setdefault(name, value)
        return True
    commands.log(record)
    return False


logger.addFilter(_hold)
