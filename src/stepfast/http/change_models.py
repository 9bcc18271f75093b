"""What the answer about an execution's changes holds."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stepfast.http.models import Shown


class ChangeList(Shown):
    events: list[dict[str, Any]] = Field(
        description="each has a `type`: `execution` (its status), `command` (of a step, timer, signal wait or child), "
        "`status` (what `set_status()` shows), `labels`, or `progress` (of maps)"
    )
    after: str = Field(description="the cursor for the next request")
    ended: bool = Field(description="true once the execution has ended and all of it was told")
