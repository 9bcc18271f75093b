"""Children in the table: a child has no time to live of its own, and goes when its root has expired."""

from __future__ import annotations

from dataclasses import replace

from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.engine.ports import Commit, End
from stepfast.model import Execution, Link, Record
from tests.backends.cloud import TABLE, Cloud, shared_client

PARENT = Execution("p", "ask", "1", 1000.0)
LINK = Link("p", "child:wait", 0, root="p")
CHILD = Execution("p.wait", "wait", "1", 1001.0, link=LINK)


def test_a_child_has_no_time_to_live_until_it_is_left(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(CHILD))
    ended = replace(CHILD, status="SUCCEEDED", ended_at=2000.0, result="1")
    cloud.run(cloud.store.finish(End(ended)))
    assert EXPIRES not in cloud.item("p.wait", item_keys.META)
    assert cloud.run(cloud.store.relink(ended, replace(LINK, left=True)))
    assert EXPIRES in cloud.item("p.wait", item_keys.META)


def test_children_go_when_their_root_has_expired(cloud: Cloud) -> None:
    below = Execution("p.wait.deep", "wait", "1", 1002.0, link=Link("p.wait", "child:wait", 0, root="p", depth=2))
    for execution in (PARENT, CHILD, below):
        cloud.run(cloud.store.create(execution))
    record = Record("child:wait", "child", "wait", "SUCCEEDED", 0, output="1")
    cloud.run(cloud.store.commit("p", Commit(replace(record, children=("p.wait",)), wake=False)))
    cloud.run(cloud.store.commit("p.wait", Commit(replace(record, children=("p.wait.deep",)), wake=False)))
    shared_client("dynamodb").delete_item(
        TableName=TABLE, Key=item_keys.key("p", item_keys.META)
    )  # as Time to Live does
    cloud.run(cloud.store.deleting.purge("p"))
    assert [cloud.run(cloud.store.read(id)) for id in ("p", "p.wait", "p.wait.deep")] == [None, None, None]
