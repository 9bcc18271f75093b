"""`stepfast.logger`: what workflow code logs is logged once, though the code runs again at each replay.

Lines of a replay are held until its caller has made durable what the code came to, and then handed to the handlers:
by the advancer after its pass, by a worker after the write that claims the next step or ends the execution. Whoever
only repeats what another has done (a worker that begins a step, the sweep, `stepfast verify`) drops them. A crash
between the write and the handlers, or two advancers that race, can lose or repeat a line.
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
"""Lines of one pass that are kept; of more the newest."""

logger = logging.getLogger("stepfast.workflow")
"""For workflow code and steps. Each record has execution_id and workflow, or execution_id, step_id and attempt."""


class LogLines:
    """Log records of one replay that nobody has handled yet."""

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
        """Holds a record; nothing where the code repeats what it has been through before."""
        if repeats or self._is_behind():
            return
        record.msg, record.args = record.getMessage(), ()  # now: workflow code may change the arguments
        vars(record).update(self._fields)
        self._held.append(record)

    def _is_behind(self) -> bool:
        """Whether some command is recorded or claimed that the code has not asked for yet: it was further before."""
        if any(id not in self._issued for id in self._chained):
            return True
        new = len(self._records) - self._reached
        if any(id not in self._issued for id in islice(reversed(self._records.keys()), new)):  # type: ignore[call-overload]
            return True
        self._reached = len(self._records)
        return False

    def drop(self) -> None:
        """Forgets what is held."""
        self._held.clear()

    def flush(self) -> None:
        """Hands what is held to the logger's handlers, in order."""
        while self._held:
            logger.callHandlers(self._held.popleft())


def _hold(record: logging.LogRecord) -> bool:
    """A filter of the logger: False for a record of workflow code, which its replay then holds."""
    commands = in_workflow()
    if commands is None:
        fields: dict[str, Any] = context.log_fields()
        for name, value in fields.items():
            record.__dict__.setdefault(name, value)
        return True
    commands.log(record)
    return False


logger.addFilter(_hold)
