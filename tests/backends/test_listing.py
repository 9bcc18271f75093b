"""Pages and the sweep over an index that is spread over shards and follows the table with a delay."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from stepfast.backends.dynamodb import listing
from stepfast.backends.dynamodb.listing_keys import listing_keys, shard_of
from stepfast.backends.dynamodb.typed_json import text
from stepfast.engine.ports import End, Page, Query
from stepfast.errors import InvalidRequest
from stepfast.model import Execution, Failure
from tests.backends.cloud import TABLE, Cloud, shared_client
from tests.backends.wire import Wire


def some(count: int, seed: int = 1) -> list[Execution]:
    """Executions whose times often are equal, in the order in which pages show them."""
    draw = random.Random(seed)
    made = [
        Execution(f"e{draw.getrandbits(64):x}", f"w{number % 3}", "1", 1000.0 + draw.choice((0, 0.001, 1, 50)))
        for number in range(count)
    ]
    return sorted(made, key=lambda one: (one.created_at, one.execution_id), reverse=True)


def store_all(cloud: Cloud, executions: list[Execution], shards: int = 4) -> Any:
    store = cloud.make_store(listing_shards=shards)
    for one in executions:
        cloud.run(store.create(one))
    return store


def pages(cloud: Cloud, store: Any, query: Query) -> list[Page]:
    found: list[Page] = []
    while not found or found[-1].next is not None:
        found.append(cloud.run(store.page(replace(query, cursor=found[-1].next if found else None))))
    return found


def ids(found: list[Page]) -> list[str]:
    return [one.execution_id for page in found for one in page.executions]


@pytest.mark.parametrize("limit", [1, 7, 60, 200])
def test_pages_of_any_size_hold_everything_once_and_in_order(cloud: Cloud, limit: int) -> None:
    made = some(60 if limit > 1 else 12)
    found = pages(cloud, store_all(cloud, made), Query(limit=limit))
    assert ids(found) == [one.execution_id for one in made]
    assert len(found) == -(-len(made) // limit)


def test_pages_are_filtered_over_all_shards_and_statuses(cloud: Cloud) -> None:
    made = some(40)
    store = store_all(cloud, made)
    for number, one in enumerate(made):
        if number % 4 == 0:
            cloud.run(store.finish(End(replace(one, status="FAILED", ended_at=2000.0))))
    expected = [one.execution_id for one in made if one.workflow == "w1"]
    assert ids(pages(cloud, store, Query(workflow="w1", limit=3))) == expected
    failed = [one.execution_id for number, one in enumerate(made) if number % 4 == 0]
    assert ids(pages(cloud, store, Query(status="FAILED", limit=3))) == failed
    since, until = 1000.001, 1050.0
    within = [one.execution_id for one in made if since <= one.created_at < until]
    assert ids(pages(cloud, store, Query(since=since, until=until, limit=5))) == within
    assert ids(pages(cloud, store, Query(since=until, until=since))) == []


def test_a_page_reads_no_more_than_so_many_entries_and_goes_on_later(
    hooked: Cloud, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing matches but the oldest: pages are empty, but each has a next, until it is found."""
    monkeypatch.setattr(listing, "FILTERED", 2)
    made = some(50)
    oldest = replace(made[-1], workflow="rare")
    store = store_all(hooked, [*made[:-1], oldest], shards=2)
    wire.take()
    found = pages(hooked, store, Query(status="RUNNING", workflow="rare"))
    assert ids(found) == [oldest.execution_id]
    assert len(found) > 1
    assert [page.next is None for page in found] == [False] * (len(found) - 1) + [True]
    queries = Counter(call.operation for call in wire.take())["Query"]
    assert queries <= len(found) * listing.ROUNDS * 2


def test_a_page_of_few_asks_little_of_each_shard(hooked: Cloud, wire: Wire) -> None:
    store = store_all(hooked, some(40), shards=2)
    wire.take()
    hooked.run(store.page(Query(status="RUNNING", limit=10, jobs=False)))
    calls = wire.take()
    assert [call.params["Limit"] for call in calls if call.operation == "Query"] == [14, 14, 14, 14]
    assert sum(call.read_units for call in calls if call.operation == "Query") <= 2


def test_an_execution_that_the_index_shows_under_an_old_status_is_left_out(cloud: Cloud) -> None:
    store = store_all(cloud, some(3))
    one = some(3)[0]
    cloud.run(store.finish(End(replace(one, status="SUCCEEDED", result="1", ended_at=2000.0))))
    stale = cloud.item(one.execution_id, "meta") | listing_keys(one.execution_id, "RUNNING", one.created_at, 4)
    shared_client("dynamodb").put_item(TableName=TABLE, Item=stale)
    assert one.execution_id not in ids(pages(cloud, store, Query(status="RUNNING")))
    assert ids(pages(cloud, store, Query())).count(one.execution_id) == 1


def test_an_execution_that_the_index_shows_after_it_has_gone_is_left_out(cloud: Cloud) -> None:
    made = some(3)
    store = store_all(cloud, made)
    shown = cloud.item(made[0].execution_id, "meta")
    shared_client("dynamodb").put_item(TableName=TABLE, Item=shown | {"pk": text("x#other")})
    shared_client("dynamodb").delete_item(
        TableName=TABLE, Key={"pk": text(f"x#{made[0].execution_id}"), "sk": text("meta")}
    )
    assert ids(pages(cloud, store, Query())) == [one.execution_id for one in made[1:]]


def test_more_shards_later_hide_nothing(cloud: Cloud) -> None:
    made = some(30)
    store_all(cloud, made[:15], shards=2)
    store = store_all(cloud, made[15:], shards=5)
    assert ids(pages(cloud, store, Query(limit=7))) == [one.execution_id for one in made]


def test_executions_are_spread_evenly_and_the_same_way_everywhere() -> None:
    spread = Counter(shard_of(f"order-{number}", 8) for number in range(8000))
    assert len(spread) == 8
    assert max(spread.values()) < 1200
    assert shard_of("e1", 8) == 7  # in every process


@pytest.mark.parametrize(
    "cursor",
    [
        "WzEwMDAuMCwgImUwMSJd",  # what SQLite gives: [1000.0, "e01"]
        "WyJsaXN0aW5nIiwgImUwMSJd",  # ["listing", "e01"]
        "WyJsaXN0aW5nIiwgIjdmZjgwMDAwMDAwMDAwMDAjYSJd",  # not a number, as a time
        "WyJsaXN0aW5nIiwgNV0=",
        "WyJsaXN0aW5nIiwgIjQwOGY0MDAwMDAwMDAwMDAjXHVkODAwIl0=",  # half a surrogate pair
        "eyJhIjoxfQ==",
        "Ww==",
    ],
)
def test_a_cursor_from_elsewhere_is_refused(cloud: Cloud, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="not one that a page gave"):
        cloud.run(cloud.store.page(Query(cursor=cursor)))


# -- by prefix, and what has failed -----------------------------------------------------------------------


def test_ids_that_begin_alike_are_found_over_all_shards_and_statuses(cloud: Cloud) -> None:
    made = some(40)
    store = store_all(cloud, made)
    for one in made[::3]:
        cloud.run(store.finish(End(replace(one, status="SUCCEEDED", result="1", ended_at=2000.0))))
    prefix = made[7].execution_id[:2]
    expected = [one.execution_id for one in made if one.execution_id.startswith(prefix)]
    assert 1 < len(expected) < len(made)
    assert ids(pages(cloud, store, Query(prefix=prefix, limit=2))) == expected
    of_one = [one.execution_id for one in made if one.execution_id.startswith(prefix) and one.workflow == "w1"]
    assert ids(pages(cloud, store, Query(prefix=prefix, workflow="w1"))) == of_one


@pytest.mark.parametrize("asked", [{"prefix": "ra"}, {"contains": "ar"}])
def test_a_rare_id_is_looked_for_so_far_and_further_on_the_next_page(
    hooked: Cloud, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FILTERED", 2)
    made = some(50)
    oldest = replace(made[-1], execution_id="rare")
    store = store_all(hooked, [*made[:-1], oldest], shards=2)
    found = pages(hooked, store, Query(status="RUNNING", **asked))
    assert ids(found) == ["rare"]
    assert len(found) > 1


def failed_all(cloud: Cloud, made: list[Execution], shards: int = 4) -> Any:
    store = store_all(cloud, made, shards)
    for number, one in enumerate(made):
        error = Failure(("KeyError", "OSError")[number % 2], "down", "pay", "Traceback …")
        cloud.run(store.finish(End(replace(one, status="FAILED", error=error, ended_at=2000.0))))
    return store


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 29, 30, 31, 1000])
def test_faults_are_those_of_all_shards_and_more_are_noticed(cloud: Cloud, limit: int) -> None:
    made = some(30)
    store = failed_all(cloud, made)
    found, complete = cloud.run(store.faults(None, limit))
    assert complete is (limit >= 30)
    assert len(found) == len({one.execution_id for one in found}) == min(limit, 30)
    if complete:
        assert [one.execution_id for one in found] == [one.execution_id for one in made]
        assert [one.created_at for one in found] == [one.created_at for one in made]
        assert {(one.step, one.error, one.resumes) for one in found} == {
            ("pay", "KeyError", 0),
            ("pay", "OSError", 0),
        }


def test_faults_of_a_workflow_are_chosen_among_those_looked_at(cloud: Cloud) -> None:
    made = some(30)
    store = failed_all(cloud, made)
    found, complete = cloud.run(store.faults("w1", 30))
    assert ([one.execution_id for one in found], complete) == (
        [one.execution_id for one in made if one.workflow == "w1"],
        True,
    )
    found, complete = cloud.run(store.faults("w1", 9))
    assert 0 < len(found) <= 9
    assert {one.workflow for one in found} == {"w1"}
    assert not complete


def test_faults_are_read_from_the_index_alone_and_no_more_entries_than_asked_for(hooked: Cloud, wire: Wire) -> None:
    store = failed_all(hooked, some(30), shards=2)
    wire.take()
    hooked.run(store.faults(None, 9))
    calls = wire.take()
    assert {call.operation for call in calls} == {"Query"}
    assert {call.params["IndexName"] for call in calls} == {"listing"}
    assert sum(call.params["Limit"] for call in calls) == 10


def test_an_entry_from_before_there_were_faults_is_one_that_nothing_is_known_of(cloud: Cloud) -> None:
    made = some(1)
    store = failed_all(cloud, made)
    item = cloud.item(made[0].execution_id, "meta")
    assert item.pop("fault")
    shared_client("dynamodb").put_item(TableName=TABLE, Item=item)
    ((found,), _) = cloud.run(store.faults(None, 10))
    assert (found.execution_id, found.step, found.error) == (made[0].execution_id, None, None)


def test_very_long_names_are_cut_in_the_index_alone(cloud: Cloud) -> None:
    made = some(1)[0]
    store = store_all(cloud, [made])
    error = Failure("E" * 500, "down", "s" * 500)
    cloud.run(store.finish(End(replace(made, status="FAILED", error=error, ended_at=2000.0))))
    ((found,), _) = cloud.run(store.faults(None, 10))
    assert (found.step, found.error) == ("s" * 200, "E" * 200)
    assert cloud.run(store.read(made.execution_id)).error == error


# -- the sweep -------------------------------------------------------------------------------------------


def test_the_sweep_sees_running_executions_older_than_two_minutes(cloud: Cloud) -> None:
    executions = [Execution(f"e{age}", "w", "1", 5000.0 - age) for age in (0, 119, 120, 121, 4000)]
    store = store_all(cloud, executions)
    cloud.run(store.finish(End(replace(executions[-1], status="SUCCEEDED", ended_at=4000.0))))
    cloud.clock.time = 5000.0
    assert cloud.run(store.idle(10)) == (["e121"], "")
    cloud.clock.time = 5001.0
    assert sorted(cloud.run(store.idle(10))[0]) == ["e120", "e121"]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_the_sweep_goes_round_and_sees_each_once(cloud: Cloud, limit: int) -> None:
    made = some(30)
    store = store_all(cloud, made)
    cloud.clock.time = 9000.0
    seen: list[str] = []
    position, rounds = "", 0
    while rounds == 0 or position:
        found, position = cloud.run(store.idle(limit, position))
        assert len(found) <= limit
        seen, rounds = [*seen, *found], rounds + 1
    assert sorted(seen) == sorted(one.execution_id for one in made)
    assert rounds <= 30 // limit + 1 + 4


@pytest.mark.parametrize("position", ["rubbish", "12:", "-1:", "e01", ":"])
def test_a_position_that_is_not_the_sweeps_begins_anew(cloud: Cloud, position: str) -> None:
    store = store_all(cloud, some(3))
    cloud.clock.time = 9000.0
    assert len(cloud.run(store.idle(10, position))[0]) == 3
