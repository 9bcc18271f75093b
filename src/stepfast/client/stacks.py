"""Several deployments behind one client: each execution belongs to one of them, by its id.

Rendezvous hashing (Thaler and Ravishankar, IEEE/ACM Transactions on Networking 6(1), 1998) selects the deployment: the
URL whose hash with the id is the highest. The order of the URLs does not matter. A new URL takes an equal share from
each of the others, and no id moves between those.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.calls import Calls
from stepfast.errors import ExecutionNotFound, InvalidRequest

Mark = tuple[str | None, str, str]
"""The position of a list in one deployment: the page's cursor, and `created_at` and id of the last row returned."""
ABOVE = "~"
"""Sorts above every time."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of the API: its path, the shape of a page, and the member that holds the rows.

    foremost: the id of the row that comes before all others, which are newest first by created_at and id.
    """

    path: str
    shape: type
    rows: str
    foremost: str | None = None


class Stacks:
    """The deployments, in the order of their URLs. former: the URLs before the last change, see Client.

    Raises InvalidRequest for a URL that is passed twice, and for a former URL that is not among the URLs.
    """

    def __init__(self, calls: Sequence[Calls], former: Sequence[str] = ()) -> None:
        self.all = tuple(calls)
        self._by_url = {calls.url: calls for calls in self.all}
        if len(self._by_url) < len(self.all):
            raise InvalidRequest("a URL is given twice: each names a deployment of its own")
        self._former = [url.rstrip("/") for url in former]
        if missing := [url for url in self._former if url not in self._by_url]:
            raise InvalidRequest(
                f"{missing[0]} is a former URL, and not among the URLs: add it, or its executions are lost"
            )

    def __iter__(self) -> Iterator[Calls]:
        return iter(self.all)

    @property
    def first(self) -> Calls:
        return self.all[0]

    def owner(self, execution_id: str) -> Calls:
        """The deployment that an execution of this id is started in."""
        return self._by_url[url_with_highest_hash(self._by_url, execution_id)]

    def former_owner(self, execution_id: str) -> Calls | None:
        """The deployment that this id belonged to before the last change of the URLs; None if it has not moved."""
        if not self._former:
            return None
        before = self._by_url[url_with_highest_hash(self._former, execution_id)]
        return None if before is self.owner(execution_id) else before

    def holder(self, execution_id: str) -> Calls:
        """The deployment that has the execution of this id, or else the deployment to start it in."""
        former = self.former_owner(execution_id)
        if former is not None:
            try:
                former.get(f"/v1/executions/{execution_id}", shapes.Execution, commands="false")
            except ExecutionNotFound:
                pass
            else:
                return former
        return self.owner(execution_id)

    def shares(self, execution_ids: Sequence[str]) -> list[tuple[Calls, list[str]]]:
        """Each deployment that holds some of the ids, with these ids in their order."""
        if len(self.all) == 1 or not execution_ids:  # the server decides what no ids mean
            return [(self.first, [*execution_ids])]
        shares: dict[str, list[str]] = {}
        for execution_id in execution_ids:
            shares.setdefault(self.holder(execution_id).url, []).append(execution_id)
        return [(calls, shares[calls.url]) for calls in self.all if calls.url in shares]

    def page(self, listed: Listed, query: Object, limit: int, cursor: str | None) -> Object:
        """A page of a list over all deployments, with `next` as for one deployment.

        Rows that are created between two pages neither move a page nor appear twice: each deployment continues below
        the last row returned. Raises InvalidRequest for a cursor of another list.
        """
        if len(self.all) == 1:
            return self.first.get(listed.path, listed.shape, **query, limit=limit, cursor=cursor)
        marks = marks_in(cursor, [calls.url for calls in self.all])
        entries: list[tuple[str, str, str, Object]] = []
        nexts: dict[str, str | None] = {}
        for calls in self.all:
            if (mark := marks.get(calls.url)) is None:
                continue
            page = calls.get(listed.path, listed.shape, **query, limit=limit, cursor=mark[0])
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


def merged_groups(answers: Sequence[Object]) -> Object:
    """The groups of dead letters of all deployments, with equal groups added up, the largest first."""
    groups: dict[tuple[Any, ...], Object] = {}
    for group in (group for answer in answers for group in answer["groups"]):
        kind = tuple(group.get(name) for name in ("workflow", "step", "error", "error_class"))
        if (same := groups.get(kind)) is None:
            groups[kind] = dict(group)
            continue
        newer = max((same, group), key=lambda candidate: sortable_time(candidate["newest"]))
        groups[kind] = {**newer, "count": same["count"] + group["count"], "again": same["again"] + group["again"]}
    ordered = sorted(groups.values(), key=lambda group: -group["count"])
    return {"groups": ordered, "complete": all(answer["complete"] for answer in answers)}


def keys_for(urls: Sequence[str], api_key: str | Sequence[str] | None) -> Sequence[str | None]:
    """The API key of each deployment. Raises InvalidRequest if there is no URL, or another number of keys than URLs."""
    if not urls:
        raise InvalidRequest("a client needs the URL of an API")
    if api_key is None or isinstance(api_key, str):
        return [api_key] * len(urls)
    if len(api_key) != len(urls):
        raise InvalidRequest(f"{len(api_key)} API keys for {len(urls)} URLs: give one for all of them, or one for each")
    return api_key


def url_with_highest_hash(urls: Any, execution_id: str) -> str:
    def weight(url: str) -> bytes:
        return hashlib.blake2b(f"{url}\n{execution_id}".encode(), digest_size=8).digest()

    highest: str = max(urls, key=weight)
    return highest


def marks_in(cursor: str | None, urls: Sequence[str]) -> dict[str, Mark]:
    if cursor is None:
        return dict.fromkeys(urls, (None, "", ""))
    try:
        marks = {url: (mark[0], str(mark[1]), str(mark[2])) for url, mark in json.loads(cursor).items()}
    except (ValueError, AttributeError, TypeError, IndexError):
        raise InvalidRequest("the cursor does not come from a list of several deployments") from None
    if not marks.keys() <= set(urls):
        raise InvalidRequest("the cursor belongs to a list of other deployments: start again without it")
    return marks


def sortable_time(text: str) -> str:
    """Text that sorts as the times do, whatever their number of decimals."""
    return f"{datetime.fromisoformat(text).timestamp():020.6f}"
