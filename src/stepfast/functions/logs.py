"""Log lines as JSON by Powertools, each with the id of its execution; errors are logged without values."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from stepfast.errors import StepfastError, Unavailable
from stepfast.language import context

_execution: ContextVar[str | None] = ContextVar("stepfast_execution", default=None)
_request: ContextVar[str | None] = ContextVar("stepfast_request", default=None)


class about:
    """Log lines written inside, by this task and by the threads of its steps, carry the execution's id.

    A class, since processes of pools enter one for each step: a generator would take three times as long.
    """

    __slots__ = ("_execution_id", "_token")

    def __init__(self, execution_id: str | None) -> None:
        self._execution_id = execution_id

    def __enter__(self) -> None:
        self._token = _execution.set(self._execution_id)

    def __exit__(self, *error: object) -> None:
        _execution.reset(self._token)


def from_here_about(execution_id: str | None) -> None:
    """All log lines that this task writes from now on carry the execution's id."""
    _execution.set(execution_id)


@contextmanager
def request(request_id: str | None) -> Iterator[None]:
    """Log lines written inside carry the invocation's request id."""
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)


def configure(service: str) -> None:
    """Makes the loggers of stepfast and of the user's code write JSON to standard output."""
    from stepfast.functions import slim_powertools  # noqa: F401 -- before anything of Powertools
    from aws_lambda_powertools.logging import Logger  # isort: skip

    # Powertools names its logger after the service. Named `stepfast`, it is the parent of all stepfast loggers.
    logger = Logger(service="stepfast", utc=True, log_uncaught_exceptions=False)
    logger.append_keys(service=os.environ.get("POWERTOOLS_SERVICE_NAME") or service)
    logger.logger_handler.addFilter(name_execution)
    for handler in logging.getLogger().handlers:  # Lambda's own handler, which writes the lines of users' modules
        handler.setFormatter(logger.registered_formatter)
        handler.addFilter(name_execution)


def name_execution(record: logging.LogRecord) -> bool:
    """A filter for handlers: adds execution, step, attempt and request to a record. Lets every record pass."""
    fields: dict[str, Any] = {"execution_id": _execution.get(), "function_request_id": _request.get()}
    for name, value in {**fields, **context.log_fields()}.items():
        if value is not None and not hasattr(record, name):
            setattr(record, name, value)
    return True


def complain(log: logging.Logger, failure: str, error: Exception) -> None:
    """Logs an error: one line for a StepfastError (a warning if it is Unavailable), with a traceback for any other."""
    if isinstance(error, StepfastError):
        log.log(
            logging.WARNING if isinstance(error, Unavailable) else logging.ERROR, "%s: %s", failure, error_text(error)
        )
    else:
        log.error("%s: %s\n%s", failure, error_text(error), place(error))


def error_text(error: BaseException) -> str:
    """An error's text for the log.

    In full if it is stepfast's own; else its class only, since the text may quote values.
    """
    return f"{type(error).__name__}: {error}" if isinstance(error, StepfastError) else type(error).__name__


def place(error: BaseException) -> str:
    """The traceback of an error, without its message."""
    return "".join(traceback.format_tb(error.__traceback__))
