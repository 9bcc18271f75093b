"""OpenTelemetry: an execution is a trace, a step is a span, and both have ids that follow from the execution's id.

Needs the extra `stepfast[opentelemetry]`, which brings the API alone: spans and metrics go to the SDK that the program
has set up, and nowhere without one.
"""

from stepfast.telemetry.telemetry import Telemetry

__all__ = ["Telemetry"]
