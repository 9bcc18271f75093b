"""The asynchronous twin of stacks.py: `make async-client` writes it. Change stacks.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.async_calls import AsyncCalls
from stepfast.client.stacks import (
    ABOVE,
    Listed,
    Mark,
    marks_in,
    sortable_time,
    url_with_highest_hash,
)
from stepfast.errors import ExecutionNotFound, InvalidRequest


class AsyncStacks:
    """The deployments, in the order of their URLs. former: the URLs before the last change, see AsyncClient.

    Raises InvalidRequest for a URL that is passed twice, and for a former URL that is not among the URLs.
    """

    def __init__(self, calls: Sequence[AsyncCalls], former: Sequence[str] = ()) -> None:
        self.all = tuple(calls)
        self._by_url = {calls.url: calls for calls in self.all}
        if len(self._by_url) < len(self.all):
            raise InvalidRequest("a URL is given twice: each names a deployment of its own")
        self._former = [url.rstrip("/") for url in former]
        if missing := [url for url in self._former if url not in self._by_url]:
            raise InvalidRequest(
                f"{missing[0]} is a former URL, and not among the URLs: add it, or its executions are lost"
            )

    def __iter__(self) -> Iterator[AsyncCalls]:
        return iter(self.all)

    @property
    def first(self) -> AsyncCalls:
        return self.all[0]

    def owner(self, execution_id: str) -> AsyncCalls:
        """The deployment that an execution of this id is started in."""
        return self._by_url[url_with_highest_hash(self._by_url, execution_id)]

    def former_owner(self, execution_id: str) -> AsyncCalls | None:
        """The deployment that this id belonged to before the last change of the URLs; None if it has not moved."""
        if not self._former:
            return None
        before = self._by_url[url_with_highest_hash(self._former, execution_id)]
        return None if before is self.owner(execution_id) else before

    async def holder(self, execution_id: str) -> AsyncCalls:
        """The deployment that has the execution of this id, or else the deployment to start it in."""
        former = self.former_owner(execution_id)
        if former is not None:
            try:
                await former.get(f"/v1/executions/{execution_id}", shapes.Execution, commands="false")
            except ExecutionNotFound:
                pass
            else:
                return former
        return self.owner(execution_id)

    async def shares(self, execution_ids: Sequence[str]) -> list[tuple[AsyncCalls, list[str]]]:
        """Each deployment that holds some of the ids, with these ids in their order."""
        if len(self.all) == 1 or not execution_ids:  # the server decides what no ids mean
            return [(self.first, [*execution_ids])]
        shares: dict[str, list[str]] = {}
        for execution_id in execution_ids:
            shares.setdefault((await self.holder(execution_id)).url, []).append(execution_id)
        return [(calls, shares[calls.url]) for calls in self.all if calls.url in shares]

    async def page(self, listed: Listed, query: Object, limit: int, cursor: str | None) -> Object:
        """A page of a list over all deployments, with `next` as for one deployment.

        Rows that are created between two pages neither move a page nor appear twice: each deployment continues below
        the last row returned. Raises InvalidRequest for a cursor of another list.
        """
        if len(self.all) == 1:
            return await self.first.get(listed.path, listed.shape, **query, limit=limit, cursor=cursor)
        marks = marks_in(cursor, [calls.url for calls in self.all])
        entries: list[tuple[str, str, str, Object]] = []
        nexts: dict[str, str | None] = {}
        for calls in self.all:
            if (mark := marks.get(calls.url)) is None:
                continue
            page = await calls.get(listed.path, listed.shape, **query, limit=limit, cursor=mark[0])
            nexts[calls.url] = page["next"]
            for row in page[listed.rows]:
                created = ABOVE if row["execution_id"] == listed.foremost else sortable_time(row["created_at"])
                place = (created, row["execution_id"])
                if not mark[2] or place < (mark[1], mark[2]):
                    entries.append((*place, calls.url, row))
        entries.sort(key=lambda entry: entry[:2], reverse=True)
        # A deployment whose page is used up may have further rows that sort before the remaining rows of the others.
        chosen = entries[: self._count_certain(entries, nexts, limit)]
        next_marks = {url: mark for url in nexts if (mark := self._mark(url, marks[url], entries, chosen, nexts[url]))}
        return {listed.rows: [row for *_, row in chosen], "next": json.dumps(next_marks) if next_marks else None}

    @staticmethod
    def _count_certain(
        entries: Sequence[tuple[str, str, str, Object]], nexts: dict[str, str | None], limit: int
    ) -> int:
        """The number of sorted rows whose order is certain: up to the last row of the first page that continues."""
        lowest = {entry[2]: number for number, entry in enumerate(entries)}
        ends = [lowest.get(url, -1) + 1 for url, following in nexts.items() if following is not None]
        return min([limit, *ends])

    @staticmethod
    def _mark(
        url: str, mark: Mark, entries: Sequence[Any], chosen: Sequence[Any], following: str | None
    ) -> Mark | None:
        """The position from which one deployment continues; None at its end."""
        shown = [entry for entry in chosen if entry[2] == url]
        last: Mark = (mark[0], shown[-1][0], shown[-1][1]) if shown else mark
        if len(shown) < sum(entry[2] == url for entry in entries):
            return last
        return None if following is None else (following, last[1], last[2])
