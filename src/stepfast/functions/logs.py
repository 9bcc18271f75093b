"""Log lines as JSON by Powertools, each with the execution that it is about. Never what executions work on."""

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


@contextmanager
def about(execution_id: str | None) -> Iterator[None]:
    """Lines written in here, by this task and the threads of its steps, name the execution."""
    token = _execution.set(execution_id)
    try:
        yield
    finally:
        _execution.reset(token)


@contextmanager
def request(request_id: str | None) -> Iterator[None]:
    """Lines written in here name the invocation."""
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)


def configure(service: str) -> None:
    """Has stepfast's loggers, and those of the user's own code, write JSON to standard output."""
    from aws_lambda_powertools.logging import Logger

    # Powertools names its logger after the service: under this name all of stepfast's loggers belong to it.
    logger = Logger(service="stepfast", utc=True, log_uncaught_exceptions=False)
    logger.append_keys(service=os.environ.get("POWERTOOLS_SERVICE_NAME") or service)
    logger.logger_handler.addFilter(name_execution)
    for handler in logging.getLogger().handlers:  # Lambda's own, which takes the lines of users' modules
        handler.setFormatter(logger.registered_formatter)
        handler.addFilter(name_execution)


def name_execution(record: logging.LogRecord) -> bool:
    """A filter of handlers: gives a record the execution, step, attempt and request that it is about."""
    fields: dict[str, Any] = {"execution_id": _execution.get(), "function_request_id": _request.get()}
    for name, value in {**fields, **context.log_fields()}.items():
        if value is not None and not hasattr(record, name):
            setattr(record, name, value)
    return True


def complain(log: logging.Logger, failure: str, error: Exception) -> None:
    """One line for what passes by itself or says what to do; of what nobody foresaw also the place."""
    if isinstance(error, StepfastError):
        log.log(
            logging.WARNING if isinstance(error, Unavailable) else logging.ERROR, "%s: %s", failure, error_text(error)
        )
    else:
        log.error("%s: %s\n%s", failure, error_text(error), place(error))


def error_text(error: BaseException) -> str:
    """What may be logged of an error: our own texts, of others only the class: theirs may quote what was sent."""
    return f"{type(error).__name__}: {error}" if isinstance(error, StepfastError) else type(error).__name__


def place(error: BaseException) -> str:
    """Where an error was raised, without its text."""
    return "".join(traceback.format_tb(error.__traceback__))
