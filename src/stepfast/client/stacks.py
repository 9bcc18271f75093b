"""Several deployments behind one client: each execution belongs to one of them, by its id.

Which one is decided by rendezvous hashing (Thaler and Ravishankar, IEEE/ACM Transactions on Networking 6(1), 1998): the
URL whose hash with the id is the highest. The order of the URLs does not matter, and another URL takes its share
evenly from all others and moves nothing between them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stepfast.client.calls import Calls, Object
from stepfast.errors import InvalidRequest

Mark = tuple[str | None, str, str]
"""Where a list stands in one deployment: the page's cursor, and created_at and id of the last row given."""
_ABOVE = "~"
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
    """The deployments, in the order of their URLs. former: URLs before the last change, see Client."""

    def __init__(self, calls: Sequence[Calls], former: Sequence[str] = ()) -> None:
        self.all = tuple(calls)
        self._by_url = {one.url: one for one in self.all}
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
        return self._by_url[_highest(self._by_url, execution_id)]

    def former_owner(self, execution_id: str) -> Calls | None:
        """The one that it was started in before the last change of the URLs, where that is another."""
        if not self._former:
            return None
        before = self._by_url[_highest(self._former, execution_id)]
        return None if before is self.owner(execution_id) else before

    def shares(self, execution_ids: Sequence[str], holder: Callable[[str], Calls]) -> Iterator[tuple[Calls, list[str]]]:
        """Each deployment with those of the ids that it holds, where it holds any."""
        if len(self.all) == 1 or not execution_ids:  # the server says what it makes of no ids
            yield self.first, [*execution_ids]
            return
        shares: dict[str, list[str]] = {}
        for execution_id in execution_ids:
            shares.setdefault(holder(execution_id).url, []).append(execution_id)
        for calls in self.all:
            if calls.url in shares:
                yield calls, shares[calls.url]

    def page(self, listed: Listed, query: Object, limit: int, cursor: str | None) -> Object:
        """A page of a list over all deployments, with `next` as that of one.

        Rows that come meanwhile neither move a page nor are given twice: each deployment's rows go on below the last
        one given.
        """

        def fetch(calls: Calls, cursor: str | None) -> Object:
            return calls.get(listed.path, listed.shape, **query, limit=limit, cursor=cursor)

        if len(self.all) == 1:
            return fetch(self.first, cursor)
        marks = _marks(cursor, [calls.url for calls in self.all])
        found: list[tuple[str, str, str, Object]] = []
        nexts: dict[str, str | None] = {}
        for calls in self.all:
            if (mark := marks.get(calls.url)) is None:
                continue
            page = fetch(calls, mark[0])
            nexts[calls.url] = page["next"]
            for row in page[listed.rows]:
                created = _ABOVE if row["execution_id"] == listed.foremost else _moment(row["created_at"])
                place = (created, row["execution_id"])
                if not mark[2] or place < (mark[1], mark[2]):
                    found.append((*place, calls.url, row))
        found.sort(key=lambda entry: entry[:2], reverse=True)
        # A deployment whose page is exhausted may have rows that come before the others' next ones.
        chosen = found[: self._safe(found, nexts, limit)]
        left = {url: mark for url in nexts if (mark := self._mark(url, marks[url], found, chosen, nexts[url]))}
        return {listed.rows: [row for *_, row in chosen], "next": json.dumps(left) if left else None}

    @staticmethod
    def _safe(found: Sequence[tuple[str, str, str, Object]], nexts: dict[str, str | None], limit: int) -> int:
        """How many of the sorted rows are surely the next: up to the last row of any page that goes on."""
        lowest = {entry[2]: number for number, entry in enumerate(found)}
        ends = [lowest.get(url, -1) + 1 for url, following in nexts.items() if following is not None]
        return min([limit, *ends])

    @staticmethod
    def _mark(url: str, mark: Mark, found: Sequence[Any], chosen: Sequence[Any], following: str | None) -> Mark | None:
        """Where to go on in one deployment; None at its end."""
        given = [entry for entry in chosen if entry[2] == url]
        last: Mark = (mark[0], given[-1][0], given[-1][1]) if given else mark
        if len(given) < sum(entry[2] == url for entry in found):
            return last
        return None if following is None else (following, last[1], last[2])


def merged_groups(answers: Sequence[Object]) -> Object:
    """Dead letters counted in all deployments: groups of the same kind added up, the largest first."""
    groups: dict[tuple[Any, ...], Object] = {}
    for group in (group for answer in answers for group in answer["groups"]):
        kind = tuple(group.get(name) for name in ("workflow", "step", "error", "error_class"))
        if (same := groups.get(kind)) is None:
            groups[kind] = dict(group)
            continue
        newer = max((same, group), key=lambda one: _moment(one["newest"]))
        groups[kind] = {**newer, "count": same["count"] + group["count"], "again": same["again"] + group["again"]}
    ordered = sorted(groups.values(), key=lambda group: -group["count"])
    return {"groups": ordered, "complete": all(answer["complete"] for answer in answers)}


def keys_for(urls: Sequence[str], api_key: str | Sequence[str] | None) -> Sequence[str | None]:
    """The key of each deployment; InvalidRequest where their numbers differ, or there is no URL at all."""
    if not urls:
        raise InvalidRequest("a client needs the URL of an API")
    if api_key is None or isinstance(api_key, str):
        return [api_key] * len(urls)
    if len(api_key) != len(urls):
        raise InvalidRequest(f"{len(api_key)} API keys for {len(urls)} URLs: give one for all of them, or one for each")
    return api_key


def _highest(urls: Any, execution_id: str) -> str:
    def weight(url: str) -> bytes:
        return hashlib.blake2b(f"{url}\n{execution_id}".encode(), digest_size=8).digest()

    highest: str = max(urls, key=weight)
    return highest


def _marks(cursor: str | None, urls: Sequence[str]) -> dict[str, Mark]:
    if cursor is None:
        return dict.fromkeys(urls, (None, "", ""))
    try:
        marks = {url: (mark[0], str(mark[1]), str(mark[2])) for url, mark in json.loads(cursor).items()}
    except (ValueError, AttributeError, TypeError, IndexError):
        raise InvalidRequest("the cursor is none that a list of several deployments gave") from None
    if not marks.keys() <= set(urls):
        raise InvalidRequest("the cursor is of a list of other deployments: begin anew without it")
    return marks


def _moment(text: str) -> str:
    """Text that sorts as the moments do, whatever their number of decimals."""
    return f"{datetime.fromisoformat(text).timestamp():020.6f}"
