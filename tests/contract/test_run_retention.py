"""Each run has its own retention: an earlier one is deleted, with its values, while the execution goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from moto import mock_aws

from stepfast.backends.dynamodb import item_keys
from stepfast.engine.ports import Commit
from stepfast.functions.advancer import job_of
from stepfast.model import Execution, Signal
from tests.backends.cloud import BUCKET, TABLE, Cloud, shared_client
from tests.contract.test_runs_contract import DONE, LARGE, TAKEN, after
from tests.contract.test_store_contract import ONE


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mock_aws():
        yield Cloud()


def three_runs(backend: Any) -> None:
    """The execution in its third run; the first has taken a signal, and the second has a large value."""
    store, execution = backend.store, ONE
    backend.run(store.create(ONE))
    backend.run(store.add_signal("one", Signal("first", "go", "1", 2.0)))
    for run in (1, 2):
        record = DONE if run == 1 else replace(DONE, generation=run - 1, output=LARGE)
        assert backend.run(store.commit(execution.run_id, Commit(record, wake=True)))
        if run == 1:
            assert backend.run(store.commit("one", Commit(TAKEN, wake=True)))
        turn = after(execution, LARGE, *(["first"] if run == 1 else []))
        assert backend.run(store.continue_as_new(turn))
        execution = turn.execution


def test_in_the_file_an_earlier_run_goes_by_its_own_end(embedded: Any) -> None:
    three_runs(embedded)
    store = embedded.store
    assert embedded.run(store.expire(6.5)) == 1
    assert embedded.run(store.load_run("one", 1)) is None
    assert embedded.run(store.load_run("one", 2)).records["poll"].output == LARGE
    assert embedded.run(store.expire(7.5)) == 1
    assert embedded.run(store.expire(7.5)) == 0
    snapshot = embedded.run(store.load("one"))
    assert (snapshot.execution.run, snapshot.execution.input) == (3, LARGE)
    assert embedded.run(store.signal("one", "first")) is None


def test_on_aws_the_expiry_of_its_item_leads_to_that_of_its_items() -> None:
    removed = {
        "eventName": "REMOVE",
        "userIdentity": {"principalId": "dynamodb.amazonaws.com"},
        "dynamodb": {"Keys": {"pk": {"S": "x#one"}, "sk": {"S": item_keys.run_sort(2)}}},
    }
    assert job_of(removed) == ("purge-run", "one~2")
    assert job_of({**removed, "userIdentity": {"principalId": "somebody"}}) is None


def test_on_aws_an_earlier_run_is_deleted_with_its_values_and_no_other(cloud: Cloud) -> None:
    three_runs(cloud)
    client = shared_client("dynamodb")

    def sorts() -> list[str]:
        return sorted(item["sk"]["S"] for item in client.scan(TableName=TABLE, ConsistentRead=True)["Items"])

    for run in (1, 2):
        before = sorts()
        cloud.run(cloud.store.deleting.purge_run("one", run))
        assert sorts() == before, "its item is still there"
        client.delete_item(TableName=TABLE, Key=item_keys.key("one", item_keys.run_sort(run)))
        cloud.run(cloud.store.deleting.purge_run("one", run))
        assert current(cloud).run == 3
    left = [sort for sort in sorts() if sort.startswith(("c#", "o#", "zz000000000002#"))]
    assert left == []
    values = shared_client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert {value["Key"].split("/")[1] for value in values} == {"one~3"}
    cloud.run(cloud.store.deleting.purge_run("one", 3))
    assert current(cloud).input == LARGE


def current(cloud: Cloud) -> Execution:
    snapshot = cloud.run(cloud.store.load("one"))
    assert snapshot is not None
    return snapshot.execution
