"""The table of bodies: each is run on both sides. `case` puts a function into it."""

from __future__ import annotations

import sys
from typing import TypeVar

from tests.parity.sides import Body

B = TypeVar("B", bound=Body)
CASES: dict[str, Body] = {}
UNORDERED: set[str] = set()
FURTHER: set[str] = set()


def case(body: B) -> B:
    """Puts a body into the table."""
    name = f"{body.__module__.rpartition('.')[2]}.{body.__name__}"  # type: ignore[attr-defined]
    assert name not in CASES
    CASES[name] = body
    return body


def unordered(body: B) -> B:
    """As `case`, where asyncio takes from a set what happens at one moment: only the moment is compared."""
    UNORDERED.add(f"{body.__module__.rpartition('.')[2]}.{body.__name__}")  # type: ignore[attr-defined]
    return case(body)


def goes_further(body: B) -> B:
    """As `case`, where a workflow lets a generator's clean-up end, and asyncio.run may cancel it in the middle."""
    FURTHER.add(f"{body.__module__.rpartition('.')[2]}.{body.__name__}")  # type: ignore[attr-defined]
    return case(body)


def since(major: int, minor: int):  # type: ignore[no-untyped-def]
    """As `case`, for what came with a version of Python."""
    return case if sys.version_info >= (major, minor) else lambda body: body
