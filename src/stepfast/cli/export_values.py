"""Values that are too large for any answer: an export reads them by the piece, and puts them in place."""

from __future__ import annotations

import json
from typing import Any

from stepfast.client import Client, NotAllowed
from stepfast.errors import InvalidRequest

Object = dict[str, Any]


class LargeValues:
    """Those of one run of an execution. Pieces are there for the current run alone, which is run None."""

    def __init__(self, client: Client, execution_id: str, run: int | None) -> None:
        self._client, self._execution_id, self._run = client, execution_id, run
        self._sizes: set[tuple[str | None, str, int]] = set()

    def filled(self, row: Object, command: str | None = None) -> Object:
        """The execution, or the command, with the values that its page has left out, as far as they can be read."""
        omitted = dict(row.get("omitted") or {})
        if not omitted or self._run is not None:
            return row
        row = dict(row)
        for name, size in list(omitted.items()):
            try:
                row[name] = json.loads(self._client.recorded_value(self._execution_id, name, command))
            except (InvalidRequest, NotAllowed):  # NotAllowed: a key that may not see the values
                continue
            del omitted[name]
            if size is not None:
                self._sizes.add((command, name, size))
        return row | {"omitted": omitted}

    def has(self, event: Object) -> bool:
        """Whether the values that are left out of this event are in place in the execution or its command."""
        command = event.get("command")
        return all((command, name, size) in self._sizes for name, size in event["omitted"].items())
