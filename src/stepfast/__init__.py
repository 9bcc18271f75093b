"""stepfast: long-running workflows as plain async Python that survive crashes, outages and restarts."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepfast.client import Client, Execution
    from stepfast.context import StepContext, current_step
    from stepfast.current import ExecutionContext, current_execution, sleep
    from stepfast.durable import now, random, signal, uuid4
    from stepfast.errors import GiveUp, RetryAfter, StepFailed
    from stepfast.loglines import logger
    from stepfast.retry import Retry
    from stepfast.workflow import step, workflow

__all__ = [
    "Client",
    "Execution",
    "ExecutionContext",
    "GiveUp",
    "Retry",
    "RetryAfter",
    "StepContext",
    "StepFailed",
    "current_execution",
    "current_step",
    "logger",
    "now",
    "random",
    "signal",
    "sleep",
    "step",
    "uuid4",
    "workflow",
]

_HOMES = {
    **dict.fromkeys(("Client", "Execution"), "client"),
    **dict.fromkeys(("StepContext", "current_step"), "context"),
    **dict.fromkeys(("ExecutionContext", "current_execution", "sleep"), "current"),
    **dict.fromkeys(("GiveUp", "RetryAfter", "StepFailed"), "errors"),
    "Retry": "retry",
    "logger": "loglines",
    **dict.fromkeys(("step", "workflow"), "workflow"),
    **dict.fromkeys(("now", "random", "signal", "uuid4"), "durable"),
}


def __getattr__(name: str) -> object:
    # Imported when it is asked for: the authorizer, which every request waits for, has no use for the engine, and
    # workflows have none for the client.
    if name not in _HOMES:
        raise AttributeError(f"module 'stepfast' has no attribute {name!r}")
    found: object = getattr(import_module(f"stepfast.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]


class _Package(ModuleType):
    """Keeps `stepfast.workflow` the decorator: the import system would put the module of that name there."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "workflow" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
