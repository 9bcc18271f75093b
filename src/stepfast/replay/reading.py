"""Reads the outcomes that a replay applies: large ones when they are applied, and the next ones at the same time."""

from __future__ import annotations

import heapq
from typing import Any

from stepfast.error_text import message_of
from stepfast.errors import NonDeterministic
from stepfast.language.standing_inputs import stands
from stepfast.language.steps import Step
from stepfast.model import Record
from stepfast.stored_text import StoredText, Text, text_of

AT_ONCE = 8
"""Large outcomes that are read at the same time."""


class OutcomeReader:
    """Large outcomes that are stored apart, by when they were recorded: a replay applies them about in this order."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, str, StoredText]] = []
        self._known: dict[str, StoredText] = {}  # by command; those that were not read yet

    def add(self, record: Record) -> None:
        """Takes note of a recorded outcome."""
        if isinstance(record.output, StoredText):
            heapq.heappush(self._waiting, (record.ended_at or 0.0, record.id, record.output))
            self._known[record.id] = record.output

    def read(self, record: Record) -> str:
        """The outcome of a command as JSON; "null" where it has none."""
        output = record.output
        if not isinstance(output, StoredText):
            return output or "null"
        if self._known.pop(record.id, None) is None:
            return output.read()
        return output.read_with(self._next())

    def _next(self) -> list[StoredText]:
        """Those that are likely to be applied next. Each is named once."""
        following: list[StoredText] = []
        while self._waiting and len(following) < AT_ONCE - 1:
            _, id, text = heapq.heappop(self._waiting)
            if self._known.pop(id, None) is not None:
                following.append(text)
        return following


def same_input(step: Step[..., Any], recorded: Text | None, asked: str) -> bool:
    """Whether a recorded input stands for what the code asks for now.

    The very text is not read where it is stored apart. Raises NonDeterministic where `same` of the step raises.
    """
    if recorded == asked:
        return True
    text, codec = text_of(recorded) or "", step.arguments.codec
    if codec.same(text, asked):
        return True
    if step.same is None:
        return False
    try:
        return stands(step.same, codec, text, asked)
    except Exception as error:
        raise NonDeterministic(
            f"same of step {step.name!r} raised {type(error).__name__}: {message_of(error)}"
        ) from error
