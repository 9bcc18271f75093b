"""Options of `@step` that several steps may share, as a type for the dict that holds them."""

from __future__ import annotations

from typing import TypedDict

from stepfast.language.options import Seconds
from stepfast.language.retry import Retry


class StepOptions(TypedDict, total=False):
    """Options of `@step` that several steps share: `@step(**patient)`. The defaults are those of `@step`."""

    retry: Retry
    timeout: Seconds
    heartbeat: Seconds
    pool: str
    at_most_once: bool
