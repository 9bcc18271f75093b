"""Reads executions from a server page by page, so that memory holds one page, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stepfast.cli.export_values import LargeValues
from stepfast.cli.run_pages import earlier_runs
from stepfast.client import Client
from stepfast.errors import ExecutionNotFound, Refused

Object = dict[str, Any]
Query = dict[str, Any]
Fetch = Callable[[int, str | None, int | None], Object]

PAGE_ROWS = 200
EXPORTED_VALUE_BYTES = 1_000_000
"""Bytes of JSON above which a value is left out, where even a page of one row is more than the server can answer."""
ENDED_FOR_GOOD = ("SUCCEEDED", "CANCELLED")


def executions(client: Client, query: Query, cursor: str | None) -> Iterator[Object]:
    """Pages of the list, newest first, from the cursor on."""

    def fetch(limit: int, cursor: str | None, largest: int | None) -> Object:
        return client.list(**query, limit=limit, cursor=cursor, largest=largest)

    return _pages(fetch, cursor)


@dataclass(slots=True)
class Whole:
    """An execution with all that belongs to it. Each of the iterators reads its pages when it is consumed.

    earlier_runs: those before the run that is shown, the latest first. omitted: set while the rows are read, when a
    value was left out.
    """

    execution: Object
    commands: Iterator[Object]
    history: Iterator[Object]
    earlier_runs: Iterator[Whole]
    omitted: bool = False


def whole(client: Client, listed: Object, status: str | None, run: int | None = None) -> Whole | None:
    """The execution that a list shows, as it is now. None if it was deleted, or no longer has this status.

    run: this run of it in place of the current one; None also if it has no such run, or keeps it no longer.

    The execution is read before its commands and its history. One that has ended is therefore complete: a row that was
    read earlier could say RUNNING while the commands show the end, or the other way round.
    """
    handle = client.execution(listed["execution_id"])
    if run is not None or listed["status"] not in ENDED_FOR_GOOD:
        try:
            listed = handle.describe(commands=False, run=run)
        except ExecutionNotFound:
            return None
        except Refused as error:  # its values are more than an answer holds: the list has shown it without them
            if type(error) is not Refused:
                raise
            if run is not None:  # the list shows the current run
                shown = handle.describe(limit=1, largest=EXPORTED_VALUE_BYTES, run=run)
                listed = {name: shown[name] for name in (*listed, "omitted") if name in shown}
        if run is None and status not in (None, listed["status"]):
            return None
    large = LargeValues(client, listed["execution_id"], run)
    listed = large.filled(listed)
    result = Whole(listed, iter(()), iter(()), iter(()), bool(listed.get("omitted")))

    def commands(limit: int, cursor: str | None, largest: int | None) -> Object:
        return handle.commands(limit=limit, cursor=cursor, largest=largest, run=run)

    def events(limit: int, cursor: str | None, largest: int | None) -> Object:
        return handle.events(limit, cursor, largest, run)

    result.commands = _rows(commands, "commands", result, lambda row: large.filled(row, row["id"]))
    result.history = _rows(events, "events", result, lambda event: event, large.has)
    if run is None and listed["run"] > 1:
        result.earlier_runs = _earlier_runs(client, listed, result)
    return result


def _earlier_runs(client: Client, current: Object, result: Whole) -> Iterator[Whole]:
    """The runs of an execution before the current one that are kept, the latest first."""
    for summary in earlier_runs(client.execution(current["execution_id"]), current["run"]):
        earlier = whole(client, current, None, summary["run"])
        if earlier is not None:
            yield earlier
            result.omitted = result.omitted or earlier.omitted


def _rows(
    fetch: Fetch,
    name: str,
    result: Whole,
    filled: Callable[[Object], Object],
    elsewhere: Callable[[Object], bool] = lambda row: False,
) -> Iterator[Object]:
    """filled: puts values in place that a page has left out. elsewhere: whether the line has them at another place."""
    for page in _pages(fetch, None):
        for row in map(filled, page[name]):
            result.omitted = result.omitted or (bool(row.get("omitted")) and not elsewhere(row))
            yield row


def _pages(fetch: Fetch, cursor: str | None) -> Iterator[Object]:
    while True:
        page = _fitting(fetch, cursor)
        yield page
        cursor = page.get("next")
        if cursor is None:
            return


def _fitting(fetch: Fetch, cursor: str | None) -> Object:
    """A page, of fewer rows where the server or the client refuses a large answer: a Lambda function answers 6 MB."""
    limit = PAGE_ROWS
    while True:
        try:
            return fetch(limit, cursor, None)
        except Refused as error:
            if type(error) is not Refused:  # its subclasses are about something else than the answer
                raise
            if limit == 1:
                return fetch(1, cursor, EXPORTED_VALUE_BYTES)
            limit = max(1, limit // 4)
