"""The part of a replay that answers `patched`: by the order, or by what is recorded behind the place that asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stepfast.errors import NonDeterministic
from stepfast.model import Chained, Record
from stepfast.replay.commands import Command, Withdrawn
from stepfast.replay.loop import Closed
from stepfast.replay.patches import answers_in, is_mark, mark_for


class Patching:
    """See Replay for the attributes. sent: commands that the order marks as sent. patches: the answers by patch.

    An answer that the order does not have is a choice like that of an outcome (rule *patch*): it is appended to the
    order, and the order is durable before anything follows from it. Only who extends the order decides that the code
    of before the edit goes on: a worker, which has been sent a command of that code, goes by the records.
    """

    closed: bool
    records: dict[str, Record]
    chained: Mapping[str, Chained]
    issued: Mapping[str, Command]
    applied: list[str]
    withdrawn: Withdrawn

    def __init__(self) -> None:
        self.sent: Collection[str] = ()
        self.patches: dict[str, bool] = {}
        self._position = 0
        self._asked: tuple[int, int, int] | None = None  # `_reached` before the first choice that is not durable
        self._extends = False

    def patched(self, patch: str) -> bool:
        """Whether the code of after the edit goes on. The first answer is that of the whole run."""
        if self.closed:
            raise Closed
        if patch not in self.patches:
            self.patches[patch] = self._answer(patch)
        return self.patches[patch]

    def deprecate_patch(self, patch: str) -> None:
        """Fails an execution that needs the code of before the edit."""
        if not self.patched(patch):
            error = NonDeterministic(
                f"the execution was past patch {patch!r} before the code had it, and needs the code of that time: "
                f"deploy code that has it behind `if patched({patch!r})` again, then resume"
            )
            self._break(error)
            raise error

    def _answer(self, patch: str) -> bool:
        known = answers_in(self.applied).get(patch)
        if known is not None:
            return known
        self._pass_marks()
        past = self._is_past()
        if past and not self._extends:
            return False
        self._begin_choices()
        self.applied.append(mark_for(patch, not past))
        self._pass_marks()
        return not past

    def _is_past(self) -> bool:
        """Whether something is recorded or sent that the code has not asked for yet: it was past this place before."""
        if self._position < len(self.applied):
            return True
        return any(id not in self.issued for ids in (self.records, self.chained, self.sent) for id in ids)

    def _begin_choices(self) -> None:
        """From here on the code follows from choices that are not durable."""
        if self._asked is None:
            self._asked = self._reached
            self.withdrawn.clear()  # what the durable order has withdrawn stands in its log

    def _pass_marks(self) -> None:
        """Goes on in the order behind the marks of patches, which have no outcome."""
        while self._position < len(self.applied) and is_mark(self.applied[self._position]):
            self._position += 1

    @property
    def _reached(self) -> tuple[int, int, int]:
        raise NotImplementedError

    def _break(self, error: BaseException) -> None:
        raise NotImplementedError
