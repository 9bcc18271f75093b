"""Clients of a process that others come in between: after one call, or in the middle of a read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.backends.cloud import shared_client

T = TypeVar("T")


def elsewhere(call: Coroutine[Any, Any, T]) -> T:
    """Runs a call to its end while this thread's event loop is in the middle of another."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(asyncio.run(call)))
    thread.start()
    thread.join()
    return results[0]


class AfterTheFirst:
    """A client of which the first call of one operation is followed by something that others do."""

    def __init__(self, operation: str, act: Any) -> None:
        self._operation, self._act = operation, act

    def __getattr__(self, name: str) -> Any:
        call = getattr(shared_client("dynamodb"), name)
        if name != self._operation or self._act is None:
            return call

        def called(**parameters: Any) -> Any:
            answer = call(**parameters)
            act, self._act = self._act, None
            if act is not None:
                act()
            return answer

        return called


class Torn:
    """A client whose first page of records is older than what follows it: read-committed, as AWS calls it."""

    def __init__(self, between: Any) -> None:
        self.queries = 0
        self._between = between

    def __getattr__(self, name: str) -> Any:
        return getattr(shared_client("dynamodb"), name)

    def query(self, **parameters: Any) -> Any:
        self.queries += 1
        before = shared_client("dynamodb").query(**parameters)
        if self._between is None:
            return before
        self._between()
        self._between = None
        after = shared_client("dynamodb").query(**parameters)
        if "LastEvaluatedKey" in before:
            return before
        old = [one for one in before["Items"] if one["sk"]["S"].startswith(("c#", "o#"))]
        new = [one for one in after["Items"] if not one["sk"]["S"].startswith(("c#", "o#"))]
        return {**after, "Items": [*old, *new]}
