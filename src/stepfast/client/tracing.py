"""Tells the API which span of OpenTelemetry calls it, where the program makes spans."""

from __future__ import annotations

import sys


def trace_headers() -> dict[str, str]:
    """The current span as a W3C header; empty in a program that has not imported OpenTelemetry, or has no span here.

    Baggage stays at home: it holds what the program likes, and the API has no use for it.
    """
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry.trace import get_current_span

    span = get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {"traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"}
