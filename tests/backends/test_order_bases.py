"""The order that version 1 has recorded stands before the log: it is looked for only where there can be one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

import pytest

from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.order import OrderLog
from stepfast.backends.dynamodb.typed_json import number
from stepfast.model import Execution, OrderEntry
from tests.backends.cloud import TABLE, Cloud, shared_client
from tests.simulation.breaking import edited

ONE = Execution("one", "ask", "1", 1000.0)
BASE = OrderEntry(1, 0, ("a",), ("a", "b"), cut=0)


def of_version_1(cloud: Cloud) -> None:
    """Makes the execution one that version 1 has started, with its cursor of two revisions."""
    first = {"v": number(item_keys.FIRST_VERSION)}
    meta = cloud.item("one", item_keys.META) | first
    order = {"B": zlib.compress(json.dumps([BASE.applied, BASE.dispatched]).encode())}
    cursor = {"rev": number(2), "gen": number(0), "order": order, "wrote": meta["wrote"]}
    for item in (meta, item_keys.key("one", item_keys.CURSOR) | first | cursor):
        shared_client("dynamodb").put_item(TableName=TABLE, Item=item)


def entries_after_a_peek(cloud: Cloud) -> Sequence[OrderEntry]:
    cloud.run(cloud.store.peek("one", "a"))
    return cloud.run(cloud.store.entries("one"))


def a_base_is_found_though_there_was_none_before(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    assert entries_after_a_peek(cloud) == []
    of_version_1(cloud)
    assert entries_after_a_peek(cloud) == [BASE]


def test_a_peek_at_an_execution_of_version_1_has_its_base_looked_for(cloud: Cloud) -> None:
    a_base_is_found_though_there_was_none_before(cloud)


@pytest.mark.parametrize(
    "change",
    [("if not needs_base(meta, None)", "if True"), ("self._baseless.pop(execution_id, None)", "pass")],
    ids=["whatever the version", "once and for ever"],
)
def test_it_is_noticed_when_no_base_is_looked_for(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    edited(monkeypatch, OrderLog, "note", change)
    with pytest.raises(AssertionError):
        a_base_is_found_though_there_was_none_before(cloud)
