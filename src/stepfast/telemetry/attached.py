"""Makes a span that another process or another moment writes the current one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


@contextmanager
def attached(carrier: Mapping[str, str]) -> Iterator[None]:
    """Spans that begin inside are children of the span in these W3C headers (https://www.w3.org/TR/trace-context/)."""
    token = context.attach(TraceContextTextMapPropagator().extract(carrier))
    try:
        yield
    finally:
        context.detach(token)
