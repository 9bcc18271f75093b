"""Values of executions and commands. A caller may ask to leave out the large ones (`largest`)."""

from __future__ import annotations

import json
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from stepfast.stored_text import StoredText, Text, text_of

Largest = Annotated[
    int | None,
    Query(ge=0, le=1_000_000_000, description="values whose JSON has more bytes are null, and named in `omitted`"),
]


UNKNOWN_BYTES = 200 * 1024
"""What a text that is stored apart has, if nobody knows its size."""


def value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def shown(largest: int | None, **texts: Text | None) -> dict[str, Any]:
    """The values of these JSON texts; `omitted` has the size in bytes of each that is larger than `largest`.

    A text that is stored apart is only read if it is shown. Its size may be unknown, which is None: it is large then.
    """
    omitted = {name: size_of(text) for name, text in texts.items() if text is not None and _is_large(text, largest)}
    shown = {name: None if name in omitted else value(text_of(text)) for name, text in texts.items()}
    return shown | {"omitted": omitted}


def size_of(text: Text) -> int | None:
    """Bytes of a JSON text; None for one that is stored apart, and whose size only reading it tells."""
    return text.size if isinstance(text, StoredText) else len(text.encode())


def _is_large(text: Text, largest: int | None) -> bool:
    if largest is None:
        return False
    size = size_of(text)
    return (UNKNOWN_BYTES if size is None else size) > largest
