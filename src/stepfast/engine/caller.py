"""Where a call comes from: the W3C header that names the span of the caller, while a request of it is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_VALID = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""https://www.w3.org/TR/trace-context/#traceparent-header, without the fields that a later version may add."""
_traceparent: ContextVar[str | None] = ContextVar("stepfast_traceparent", default=None)


@contextmanager
def called_from(traceparent: str | None) -> Iterator[None]:
    """Calls made inside come from this span; a header that is not valid is left out, as the standard asks."""
    valid = traceparent is not None and _VALID.fullmatch(traceparent) is not None
    token = _traceparent.set(traceparent if valid else None)
    try:
        yield
    finally:
        _traceparent.reset(token)


def traceparent() -> str | None:
    """The header of the call that is answered here, if it has brought one."""
    return _traceparent.get()
