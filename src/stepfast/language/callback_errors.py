"""What workflow code sees when no answer comes by a link, or when external work reports that it has failed."""

from __future__ import annotations

from typing import Any

from stepfast.errors import FailsStep, StepFailed

__all__ = ["CallbackFailed", "CallbackTimeout"]


class CallbackFailed(StepFailed):
    """External work has reported by its link that it has failed. It is a StepFailed, so one `except` catches both.

    step: the name of the callback.
    step_id: the id of the command that made the link. A resume runs it again: it makes a new link.
    error_type, message: what was reported.
    """

    def __init__(self, name: str, step_id: str, error_type: str, message: str) -> None:
        super().__init__(name, step_id, error_type, message, 1)
        self.args = (f"callback {name!r} was reported as failed: {error_type}: {message}",)


class CallbackTimeout(FailsStep, TimeoutError):
    """No answer has come by a link in time, or no heartbeat. It is a TimeoutError.

    step_id: the id of the command that made the link. A resume runs it again: it makes a new link.
    """

    def __init__(self, message: str, step_id: str) -> None:
        super().__init__(message)
        self.step_id = step_id

    def __reduce__(self) -> Any:
        # TimeoutError is an OSError, whose __new__ leaves `args` to __init__ where a class has one of its own.
        return type(self), (str(self), self.step_id), self.__dict__.copy()
