"""Clients that try again under the same id while the API does not answer, as stepfast.Client does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from stepfast.errors import Unavailable, WrongStatus
from stepfast.language.workflows import Workflow
from stepfast.testing import MotoCloud
from stepfast.testing.runs import Run

TRIES = 20


def started(cloud: MotoCloud, workflow: Workflow[..., Any], input: Any, execution_id: str) -> Run[Any]:
    for _ in range(TRIES):
        try:
            return cloud.start(workflow, input, execution_id)
        except Unavailable:
            cloud.advance(timedelta(seconds=1))
    raise AssertionError("the API does not answer")


def signalled(cloud: MotoCloud, name: str, payload: Any, signal_id: str = "signal-1") -> None:
    """Sends the only execution a signal."""
    for _ in range(TRIES):
        try:
            cloud.signal("", name, payload, signal_id)
            return
        except Unavailable:
            continue
    raise AssertionError("the API does not answer")


def cancelled(cloud: MotoCloud) -> None:
    """Cancels the only execution; one that has ended was cancelled by a request whose answer was lost."""
    for _ in range(TRIES):
        try:
            cloud.cancel("")
            return
        except Unavailable:
            continue
        except WrongStatus:
            return
    raise AssertionError("the API does not answer")
