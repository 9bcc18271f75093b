"""Who calls, and from where, while a request is answered: the caller's name, and the W3C header of its span."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_VALID = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""https://www.w3.org/TR/trace-context/#traceparent-header, without the fields that a later version may add."""
_traceparent: ContextVar[str | None] = ContextVar("stepfast_traceparent", default=None)
_who: ContextVar[str | None] = ContextVar("stepfast_caller", default=None)


@contextmanager
def called_from(traceparent: str | None, who: str | None = None) -> Iterator[None]:
    """Calls made inside come from this span; a header that is not valid is left out, as the standard asks.

    who: the name of the caller for the history: of an API key, of an AWS principal.
    """
    valid = traceparent is not None and _VALID.fullmatch(traceparent) is not None
    span, name = _traceparent.set(traceparent if valid else None), _who.set(who)
    try:
        yield
    finally:
        _traceparent.reset(span)
        _who.reset(name)


def traceparent() -> str | None:
    """The header of the call that is answered here, if it has brought one."""
    return _traceparent.get()


def who() -> str | None:
    """The name of the caller; None where nobody has to say who they are."""
    return _who.get()
