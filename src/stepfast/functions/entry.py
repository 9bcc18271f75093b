"""The entry point that Lambda calls.

Builds the handler with the sandbox, and wraps logs, metrics and errors around it.
"""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stepfast.backends.aws.direct_terms import DirectTerms, direct_terms
from stepfast.deployment.settings import NEEDS, TABLE, Settings
from stepfast.functions import logs
from stepfast.functions.clients import Clients
from stepfast.functions.host import Handler, Host, WallClock
from stepfast.functions.metering import EmbeddedMetrics

log = logging.getLogger(__name__)
JOBS_AT_ONCE = 12
"""Threads for the executions of one batch of the stream. A client has 16 connections (CONNECTIONS_PER_CLIENT)."""
Build = Callable[[Settings, Clients, Host], Handler]


class Failed(Exception):
    """The error of a failed invocation.

    It hides the cause's text, which may quote the event; the log names the place.
    """


class EntryPoint:
    """A module's `handler`. In Lambda it is built at import, when the sandbox has full CPU.

    Outside Lambda it is built at the first call, so that the module can be imported without any settings.
    """

    def __init__(self, kind: str, build: Build) -> None:
        self._kind, self._build = kind, build
        self._handler: Handler | None = None
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ and TABLE in os.environ:
            self._handler = self._made()
            # Every object made so far lives as long as the sandbox: freezing keeps the collector from visiting them
            # again.
            gc.freeze()
        gc.enable()

    def __call__(self, event: Any, context: Any) -> Any:
        if self._handler is None:
            self._handler = self._made()
        return self._handler(event, context)

    def _made(self) -> Handler:
        logs.configure(self._kind)
        settings = Settings.from_environment(os.environ, NEEDS[self._kind])
        clock = WallClock()
        host = Host(clock=clock, meter=EmbeddedMetrics(self._kind))
        if self._kind == "advancer":
            from stepfast.functions.side_by_side import LoopThreads

            host = replace(host, side_by_side=LoopThreads(JOBS_AT_ONCE))
        clients = Clients(settings.region, clock.hear, _direct_terms(settings.region))
        return _traced(self._kind, guarded(self._build(settings, clients, host), host))


def guarded(handler: Handler, host: Host) -> Handler:
    """The handler, which writes its metrics at the end and raises Failed for any error.

    No text of the event gets out.
    """

    def call(event: Any, context: Any) -> Any:
        with logs.request(getattr(context, "aws_request_id", None)):
            try:
                return handler(event, context)
            except Exception as error:
                logs.complain(log, "the invocation failed", error)
                raise Failed(logs.error_text(error)) from None
            finally:
                host.meter.flush()

    return call


def _direct_terms(region: str | None) -> DirectTerms | None:
    """Only in Lambda, and not where X-Ray traces botocore's calls."""
    in_lambda = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    return direct_terms(os.environ, region or os.environ.get("AWS_REGION")) if in_lambda and not _tracing() else None


def _tracing() -> bool:
    """Whether X-Ray traces: unless POWERTOOLS_TRACE_DISABLED is true or `aws_xray_sdk` is not installed."""
    disabled = os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true", "yes", "on", "y", "t")
    return not disabled and importlib.util.find_spec("aws_xray_sdk") is not None


def _traced(kind: str, handler: Handler) -> Handler:
    """The handler traced by X-Ray, where it traces."""
    if not _tracing():
        return handler
    from aws_lambda_powertools.tracing import Tracer

    # Answers and errors stay out of the trace: they hold the values that executions work on.
    traced: Handler = Tracer(service=kind).capture_lambda_handler(handler, capture_response=False, capture_error=False)
    return traced
