"""Long-running workflows as plain async Python that survive crashes, outages and restarts."""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if "LAMBDA_TASK_ROOT" in os.environ:
    # Before any other module of stepfast is imported, so that all of them come out of the bundle's one file.
    from stepfast.packed_modules import install

    install(os.environ["LAMBDA_TASK_ROOT"])
    del install

if TYPE_CHECKING:
    from stepfast.client import AsyncClient, AsyncExecution, Client, Execution, Start
    from stepfast.errors import ChildFailed, GiveUp, MapFailed, RetryAfter, StepFailed
    from stepfast.integrations.external_work import EcsTask, ExternalCall, external_step
    from stepfast.language.callback_errors import CallbackFailed, CallbackTimeout
    from stepfast.language.callbacks import CallbackLink, callback
    from stepfast.language.children import child
    from stepfast.language.context import StepContext, current_step
    from stepfast.language.continuing import ContinueAsNew, continue_suggested
    from stepfast.language.current import ExecutionContext, current_execution, sleep
    from stepfast.language.durable import now, random, signal, uuid4
    from stepfast.language.handlers import all_updates_done, query, update
    from stepfast.language.limits import Gate, Limit, Rate, label
    from stepfast.language.logger import logger
    from stepfast.language.map_items import map_items
    from stepfast.language.map_reports import MapBatch, MapFailure, MapReport, MapResults
    from stepfast.language.map_sources import Csv, JsonLines
    from stepfast.language.patches import deprecate_patch, patched
    from stepfast.language.retry import Retry
    from stepfast.language.showing import set_labels, set_status
    from stepfast.language.step_options import StepOptions
    from stepfast.language.steps import step
    from stepfast.language.workflows import workflow
    from stepfast.local.embedded import Embedded
    from stepfast.update_errors import UpdateFailed, UpdateRefused

__all__ = [
    "AsyncClient",
    "AsyncExecution",
    "CallbackFailed",
    "CallbackLink",
    "CallbackTimeout",
    "ChildFailed",
    "Client",
    "ContinueAsNew",
    "Csv",
    "EcsTask",
    "Embedded",
    "Execution",
    "ExecutionContext",
    "ExternalCall",
    "Gate",
    "GiveUp",
    "JsonLines",
    "Limit",
    "MapBatch",
    "MapFailed",
    "MapFailure",
    "MapReport",
    "MapResults",
    "Rate",
    "Retry",
    "RetryAfter",
    "Start",
    "StepContext",
    "StepFailed",
    "StepOptions",
    "UpdateFailed",
    "UpdateRefused",
    "all_updates_done",
    "callback",
    "child",
    "continue_suggested",
    "current_execution",
    "current_step",
    "deprecate_patch",
    "external_step",
    "label",
    "logger",
    "map_items",
    "now",
    "patched",
    "query",
    "random",
    "set_labels",
    "set_status",
    "signal",
    "sleep",
    "step",
    "update",
    "uuid4",
    "workflow",
]

_HOMES = {
    **dict.fromkeys(("AsyncClient", "AsyncExecution", "Client", "Execution", "Start"), "client"),
    **dict.fromkeys(("ContinueAsNew", "continue_suggested"), "language.continuing"),
    **dict.fromkeys(("StepContext", "current_step"), "language.context"),
    **dict.fromkeys(("ExecutionContext", "current_execution", "sleep"), "language.current"),
    **dict.fromkeys(("ChildFailed", "GiveUp", "MapFailed", "RetryAfter", "StepFailed"), "errors"),
    **dict.fromkeys(("Gate", "Limit", "Rate", "label"), "language.limits"),
    **dict.fromkeys(("Csv", "JsonLines"), "language.map_sources"),
    **dict.fromkeys(("MapBatch", "MapFailure", "MapReport", "MapResults"), "language.map_reports"),
    **dict.fromkeys(("all_updates_done", "query", "update"), "language.handlers"),
    **dict.fromkeys(("UpdateFailed", "UpdateRefused"), "update_errors"),
    **dict.fromkeys(("CallbackFailed", "CallbackTimeout"), "language.callback_errors"),
    **dict.fromkeys(("CallbackLink", "callback"), "language.callbacks"),
    **dict.fromkeys(("EcsTask", "ExternalCall", "external_step"), "integrations.external_work"),
    "Embedded": "local.embedded",
    "Retry": "language.retry",
    **dict.fromkeys(("deprecate_patch", "patched"), "language.patches"),
    "child": "language.children",
    "logger": "language.logger",
    "map_items": "language.map_items",
    **dict.fromkeys(("set_labels", "set_status"), "language.showing"),
    "step": "language.steps",
    "StepOptions": "language.step_options",
    "workflow": "language.workflows",
    **dict.fromkeys(("now", "random", "signal", "uuid4"), "language.durable"),
}


def __getattr__(name: str) -> object:
    # Each name is imported on first access (PEP 562). Every request waits for the authorizer, which does not need the
    # engine, and workflow code does not need the client.
    if name not in _HOMES:
        raise AttributeError(f"module 'stepfast' has no attribute {name!r}")
    exported: object = getattr(import_module(f"stepfast.{_HOMES[name]}"), name)
    globals()[name] = exported
    return exported


def __dir__() -> list[str]:
    return [*globals(), *__all__]
