"""Values of executions and commands. A caller may ask to leave out the large ones (`largest`)."""

from __future__ import annotations

import json
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

Largest = Annotated[
    int | None,
    Query(ge=0, le=1_000_000_000, description="values whose JSON has more bytes are null, and named in `omitted`"),
]


def value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def shown(largest: int | None, **texts: str | None) -> dict[str, Any]:
    """The values of these JSON texts; `omitted` has the size in bytes of each that is larger than `largest`."""
    sizes = {} if largest is None else {name: len(text.encode()) for name, text in texts.items() if text is not None}
    omitted = {name: size for name, size in sizes.items() if largest is not None and size > largest}
    return {name: None if name in omitted else value(text) for name, text in texts.items()} | {"omitted": omitted}
