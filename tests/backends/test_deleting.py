"""Deletion on AWS: tombstones, values in the bucket, what the sweep finishes, and FAILED executions that must live."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stepfast.backends.dynamodb import deletion
from stepfast.backends.dynamodb.retention_repair import Keeping, RepairProgress, walk_of
from stepfast.backends.dynamodb.typed_json import number, text
from stepfast.engine.ports import Commit, End, Query
from stepfast.errors import ExecutionDeleted, Unavailable
from stepfast.model import Execution, Failure, Record
from tests.backends.cloud import BUCKET, TABLE, Cloud, shared_client

DAY = 86400.0
LARGE = '"' + "x" * 300_000 + '"'
ONE = Execution("one", "w", LARGE, 1000.0)
DONE = replace(ONE, status="SUCCEEDED", result=LARGE[:-1] + 'y"', ended_at=1002.0)
FAILED = replace(ONE, status="FAILED", error=Failure("E", "down", "a"), ended_at=1002.0)
STEP = Record("a", "step", "a", "SUCCEEDED", 0, output=LARGE)


def objects() -> set[str]:
    listed = shared_client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {one["Key"].rpartition("/")[0] for one in listed}


def keys(partition: str = "x#one") -> list[str]:
    found = shared_client("dynamodb").scan(TableName=TABLE)["Items"]
    return sorted(one["sk"]["S"] for one in found if one["pk"]["S"] == partition)


def change(cloud: Cloud, sort: str, **values: Any) -> None:
    shared_client("dynamodb").put_item(TableName=TABLE, Item=cloud.item("one", sort) | values)


@pytest.fixture
def full(cloud: Cloud) -> Cloud:
    store = cloud.store
    for write in (store.create(ONE), store.commit("one", Commit(STEP, wake=False)), store.finish(End(DONE))):
        assert cloud.run(write)
    assert cloud.run(store.create(replace(ONE, execution_id="one-more")))
    assert objects() == {"x/one", "x/one-more"}
    return cloud


def test_its_values_go_and_those_of_others_stay(full: Cloud) -> None:
    assert full.run(full.store.erase(DONE))
    assert keys() == ["meta"]
    assert objects() == {"x/one-more"}
    assert full.run(full.make_store().read("one-more")) == replace(ONE, execution_id="one-more")


def test_values_of_version_01_are_read_and_stay(cloud: Cloud) -> None:
    """They are named by their content alone, so nobody knows who else has them."""
    import hashlib

    old = f"sha256/{hashlib.sha256(LARGE.encode()).hexdigest()}"
    shared_client("s3").put_object(Bucket=BUCKET, Key=old, Body=LARGE.encode())
    assert cloud.run(cloud.store.create(replace(ONE, input="1")))
    change(cloud, "meta", input={"M": {"s3": text(old)}})
    assert cloud.run(cloud.make_store().read("one")) == ONE
    ended = replace(ONE, status="CANCELLED", ended_at=1002.0)
    assert cloud.run(cloud.store.finish(End(ended)))
    assert cloud.run(cloud.store.erase(ended))
    assert objects() == {"sha256"}


def test_a_tombstone_says_nothing_but_the_generation_and_expires_at_last(full: Cloud) -> None:
    full.clock.time = 5000.0
    assert full.run(full.store.erase(DONE))
    held = full.item("one", "meta")
    assert set(held) == {"pk", "sk", "v", "wrote", "stat", "gen", "deleted", "erased", "expires", "list_pk", "list_sk"}
    assert float(held["expires"]["N"]) == 5000 + 400 * DAY


def swept(cloud: Cloud) -> int:
    return cloud.run(cloud.store.deleting.sweep(until=1e12))


def test_the_sweep_looks_once_more_for_what_was_written_since(full: Cloud) -> None:
    """A worker that ran all the time has recorded a large result."""
    assert full.run(full.store.erase(DONE))
    assert full.run(full.store.commit("one", Commit(replace(STEP, id="late"), wake=False)))
    assert (keys(), objects()) == (["c#late", "large", "meta"], {"x/one", "x/one-more"})
    assert swept(full) == 0  # the worker may run still
    full.clock.time += 3700
    assert swept(full) == 1
    assert (keys(), objects()) == (["meta"], {"x/one-more"})
    assert swept(full) == 0
    assert "list_pk" not in full.item("one", "meta")


def test_the_sweep_finishes_a_deletion_that_a_crash_has_cut_off(full: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(full.blobs.__class__, "delete", lambda *_: (_ for _ in ()).throw(Unavailable("away")))
        with pytest.raises(Unavailable):
            full.run(full.store.erase(DONE))
    assert full.run(full.store.read("one")) is None
    assert len(keys()) > 1
    with pytest.raises(Unavailable, match="just being deleted; try again later"):
        full.run(full.store.create(ONE))
    assert swept(full) == 0  # whoever began it may be at it still
    full.clock.time += 61
    assert swept(full) == 1
    assert (keys(), objects()) == (["meta"], {"x/one-more"})
    with pytest.raises(ExecutionDeleted):
        full.run(full.store.create(ONE))


def test_a_deletion_that_takes_too_long_is_left_to_the_sweep(full: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(deletion, "DIRECT_DELETION_SECONDS", 0.0)
        assert full.run(full.store.erase(DONE))
    assert "c#a" in keys()
    full.clock.time += 61
    swept(full)
    assert keys() == ["meta"]


def test_a_second_look_leaves_the_values_of_an_execution_that_is_just_starting(full: Cloud) -> None:
    """Its values are put before its meta: in between there is only the tombstone of the one before."""
    assert full.run(full.store.erase(DONE))
    full.clock.time += 3700
    full.blobs.put("one", LARGE.encode())
    full.store.deleting.note("one")
    swept(full)
    assert "x/one" in objects()
    anew = replace(ONE, generation=1, first_generation=1)
    assert full.run(full.store.create(anew)) is anew
    assert full.run(full.make_store().read("one")) == anew
    assert swept(full) == 0


def test_an_expired_execution_takes_its_values_along(full: Cloud) -> None:
    shared_client("dynamodb").delete_item(TableName=TABLE, Key={"pk": text("x#one"), "sk": text("meta")})
    full.run(full.store.deleting.purge("one"))
    assert (keys(), objects()) == (["meta"], {"x/one-more"})
    assert full.run(full.store.read("one")) is None
    shared_client("dynamodb").delete_item(TableName=TABLE, Key={"pk": text("x#one"), "sk": text("meta")})
    full.run(full.store.deleting.purge("one"))  # the tombstone has expired, too
    assert keys() == []


def test_an_expired_execution_with_a_timer_keeps_its_id_from_the_timers_message(cloud: Cloud) -> None:
    """It was cancelled in a sleep of a year, and expired after 90 days: its message is still to come."""
    asleep = Record("nap", "timer", "timer", "CANCELLED", 0)
    cloud.run(cloud.store.create(replace(ONE, input="1")))
    cancelled = replace(ONE, status="CANCELLED", ended_at=1002.0)
    assert cloud.run(cloud.store.cancel(End(cancelled), [asleep]))
    shared_client("dynamodb").delete_item(TableName=TABLE, Key={"pk": text("x#one"), "sk": text("meta")})
    cloud.run(cloud.store.deleting.purge("one"))
    with pytest.raises(ExecutionDeleted):
        cloud.run(cloud.store.create(ONE))


# -- FAILED executions of version 0.1 ----------------------------------------------------------------------


def expiring(cloud: Cloud, count: int) -> None:
    """FAILED executions as version 0.1 wrote them, and one that has succeeded."""
    for place in range(count):
        id = f"f{place}"
        cloud.run(cloud.store.create(replace(ONE, execution_id=id, input="1")))
        cloud.run(cloud.store.finish(End(replace(FAILED, execution_id=id))))
        item = cloud.item(id, "meta") | {"expires": number(9_000)}
        shared_client("dynamodb").put_item(TableName=TABLE, Item=item)
    cloud.run(cloud.store.create(replace(ONE, execution_id="done", input="1")))
    cloud.run(cloud.store.finish(End(replace(DONE, execution_id="done", result="1"))))


def walked(cloud: Cloud, walk: RepairProgress, pages: int = 1_000) -> int:
    left = iter(range(pages))
    keeping = Keeping(cloud.store.deleting._table, 2)
    return asyncio.run(keeping.go_on(walk, cloud.clock.now(), lambda: next(left, None) is not None))


def test_failed_executions_that_would_expire_are_kept(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepfast.backends.dynamodb.retention_repair.PAGE", 3)
    expiring(cloud, 10)
    walk = walk_of(None, cloud.clock.now())
    freed = 0
    for _ in range(20):
        freed += walked(cloud, walk, pages=1)
        walk = walk_of(walk.item(), 0.0)
    assert freed == 10
    assert not any("expires" in cloud.item(f"f{place}", "meta") for place in range(10))
    assert "expires" in cloud.item("done", "meta")
    page = cloud.run(cloud.store.page(Query(status="FAILED")))
    assert len(page.executions) == 10


def test_the_walk_is_over_once_a_later_one_has_found_none(cloud: Cloud) -> None:
    expiring(cloud, 1)
    walk = walk_of(None, cloud.clock.now())
    assert (walked(cloud, walk), walk.over) == (1, False)
    assert (walked(cloud, walk), walk.over) == (0, False)  # it rests
    cloud.clock.time += DAY + 1
    assert (walked(cloud, walk), walk.over) == (0, True)
