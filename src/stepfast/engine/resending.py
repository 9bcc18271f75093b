"""What a sweep sends again, and when (rule *sweep*). Pure."""

from __future__ import annotations

import math

from stepfast.model import Snapshot
from stepfast.records import dataclass
from stepfast.replay.commands import Command
from stepfast.replay.replay import Replay

RESEND_AFTER_SECONDS = 60.0
"""Seconds in which what was sent usually shows, before a sweep that cannot see messages sends it again."""
LIMITED_RESEND_AFTER_SECONDS = 1800.0
"""The same for a step with limits. It may wait in a line or at a gate, and its own message comes back every few minutes
(rule *line*): another message would only wait beside it.
"""


def resend_after(command: Command) -> float:
    """Seconds after which a command that has not gone on is overdue."""
    limited = command.step is not None and bool(command.step.limits)
    return LIMITED_RESEND_AFTER_SECONDS if limited else RESEND_AFTER_SECONDS


@dataclass(frozen=True, slots=True)
class Resend:
    """What a sweep sends again: all that is outstanding and not under way.

    every: seconds between two visits of one execution, for a store that cannot tell whether messages are
    under way. A message is then sent again only when it is overdue, at intervals that grow with the
    delay: repeated sends must not lengthen a queue that is only slow.
    """

    every: float = 0.0

    def wanted(self, overdue: float, after: float) -> bool:
        """Whether something that has been due for so many seconds is sent again at this visit. after: resend_after."""
        if self.every <= 0:
            return True
        before = overdue - 1.5 * self.every  # visits are not quite regular
        if overdue < after or before <= 0:
            return overdue >= after
        return math.floor(math.log2(overdue / self.every)) > math.floor(math.log2(before / self.every))


def last_sign(snapshot: Snapshot, replay: Replay) -> float:
    """When the execution was last seen to go on."""
    records = (max(record.ended_at or 0.0, record.started_at or 0.0) for record in replay.records.values())
    execution = snapshot.execution
    return max(execution.run_began_at, execution.resumed_at or 0.0, execution.unpaused_at or 0.0, *records)
