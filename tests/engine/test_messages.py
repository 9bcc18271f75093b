"""A command's message is of the command's own kind; a kind without a message is refused."""

from __future__ import annotations

from typing import Any, cast

import pytest

from stepfast.engine.messages import Hint, Message, message_for
from stepfast.model import Execution
from stepfast.replay.commands import Command
from tests.engine.steps import NOW, replayed, siblings

EXECUTION = Execution("e1", "siblings", "{}", NOW, generation=3)


def test_a_step_has_its_hint_attached_which_is_no_part_of_it() -> None:
    with replayed(siblings) as replay:
        command = next(iter(replay.outstanding.values()))
    hint = Hint(command.name, command.input or "", command.issued_at, 5, "seal", command)
    message = message_for(EXECUTION, command, hint)
    assert message == Message("step", "e1", command.id, 3)
    assert message.hint is hint


def test_a_timer_has_a_message_without_a_hint() -> None:
    message = message_for(EXECUTION, Command(":timer", "timer", "timer", None), None)
    assert message == Message("timer", "e1", ":timer", 3)
    assert message.hint is None


def test_a_signal_wait_has_no_message() -> None:
    with pytest.raises(ValueError, match="signal"):
        message_for(EXECUTION, Command("signal:go", "signal", "go", None), None)


def test_an_unknown_kind_is_not_sent_as_a_step() -> None:
    with pytest.raises(AssertionError):
        message_for(EXECUTION, Command("memo", cast(Any, "memo"), "memo", None), None)
