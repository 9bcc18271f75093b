"""The exceptions of queries and updates; errors.py has the tree that they are a part of."""

from __future__ import annotations

from stepfast.errors import Refused, StepfastError

__all__ = ["NoSuchHandler", "QueryFailed", "UpdateFailed", "UpdateNotFound", "UpdateRefused"]


class NoSuchHandler(Refused):
    """The workflow has no query or update of this name where the execution stands."""


class QueryFailed(Refused):
    """A query raised an exception, or asked for something that the execution would have to record.

    error_type: the name of the exception's class.
    """

    def __init__(self, message: str, error_type: str = "Exception") -> None:
        super().__init__(message)
        self.error_type = error_type


class UpdateRefused(Refused):
    """Raise it in the check of an update, with the reason. The sender of the update gets it, and nothing is recorded.

    Raised in the update itself, it refuses as well, but the update has been recorded by then.
    """


class UpdateNotFound(Refused):
    """The execution has no update of this id."""


class UpdateFailed(StepfastError):
    """From stepfast.Client: the update has raised an exception. The execution goes on.

    error_type: the name of the exception's class. message: its text.
    """

    def __init__(self, name: str, error_type: str, message: str) -> None:
        super().__init__(f"update {name!r} failed: {error_type}: {message}")
        self.name, self.error_type, self.message = name, error_type, message
