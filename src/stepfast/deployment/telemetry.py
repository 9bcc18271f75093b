"""OpenTelemetry, where the settings ask for it: its API is an extra, and is imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepfast.errors import StartupError

if TYPE_CHECKING:
    from stepfast.telemetry import Telemetry


def telemetry_if(wanted: bool) -> Telemetry | None:
    """The telemetry of this process, or None. Raises StartupError where the API of OpenTelemetry is not installed."""
    if not wanted:
        return None
    try:
        from stepfast.telemetry import Telemetry
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("opentelemetry"):
            raise
        raise StartupError("OpenTelemetry needs an extra: pip install 'stepfast[opentelemetry]'") from error
    return Telemetry()
