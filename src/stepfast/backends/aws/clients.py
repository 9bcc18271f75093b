"""A client that may not be needed: handed in as it is, or as what makes it."""

from __future__ import annotations

from typing import Any


class LazyClient:
    """Gives the boto3 client; one that was given as a function is made at the first use.

    Most sandboxes never store a large value or a timer of days, and a client takes its share of a cold start.
    """

    def __init__(self, client: Any) -> None:
        self._given = client
        self._made: Any = None if callable(client) else client

    def __call__(self) -> Any:
        if self._made is None:
            self._made = self._given()
        return self._made
