"""The functions in processes: their answers are real, their work is measured, their logs are counted."""

from __future__ import annotations

from typing import Any

import pytest

from bench.aws_cloud import Played, cloud_of
from bench.aws_cold import where
from bench.aws_flows import flows
from bench.aws_stub import Stub
from bench.aws_work import worked


def test_an_execution_is_worked_through_by_all_its_functions() -> None:
    with cloud_of([flows.chain], [flows.noop]) as watched:
        items = watched.items()
        played = watched.run(flows.chain, 3)
    (bill,) = worked([played], items)
    for kind in ("authorizer", "api", "advancer", "step"):
        assert 0 < bill[f"cpu:{kind}"] < 10
    assert bill["log_bytes"] > 100


def test_functions_that_write_less_than_they_did_are_not_measured() -> None:
    with cloud_of([flows.chain], [flows.noop]) as watched:
        items = watched.items()
        played = watched.run(flows.chain, 3)
    without_start = Played(
        played.made, [invocation for invocation in played.invocations if invocation.function != "api"]
    )
    with pytest.raises(RuntimeError, match="led to 0 writes here and to 7"):
        worked([without_start], items)


def test_the_stub_keeps_what_is_put_updated_and_deleted() -> None:
    stub = Stub()
    key = {"pk": {"S": "x#1"}, "sk": {"S": "meta"}}
    stub.answer("PutItem", {"Item": {**key, "stat": {"S": "RUNNING"}, "wake": {"N": "1"}}})
    stub.answer("PutItem", {"Item": {"pk": {"S": "x#1"}, "sk": {"S": "z#1"}}})
    names, values = {"#a": "stat", "#b": "wake"}, {":a": {"S": "SUCCEEDED"}}
    change = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    stub.answer("UpdateItem", {"Key": key, "UpdateExpression": "SET #a = :a REMOVE #b", **change})
    values = {":pk": {"S": "x#1"}, ":sk": {"S": "z"}}
    query = {"KeyConditionExpression": "pk = :pk AND sk < :sk", "ExpressionAttributeValues": values}
    assert stub.answer("Query", query)["Items"] == [{**key, "stat": {"S": "SUCCEEDED"}}]
    stub.answer("DeleteItem", {"Key": key})
    assert stub.answer("GetItem", {"Key": key}) == {}
    assert stub.called["PutItem"] == 2


def test_the_stub_answers_queries_of_every_kind_the_functions_make_by_the_page() -> None:
    stub = Stub(seals={("x#1", "o#00000001"): {"S": "played"}}, page_bytes=40)
    for sort in ("meta", "c#a", "o#00000000", "o#00000001"):
        stub.answer("PutItem", {"Item": {"pk": {"S": "x#1"}, "sk": {"S": sort}, "seal": {"S": "own"}}})

    def query(condition: str, **more: Any) -> dict[str, Any]:
        values = {":pk": {"S": "x#1"}, ":sk": {"S": "o#"}, ":first": {"S": "c#"}, ":last": {"S": "c#~"}}
        asked = {"KeyConditionExpression": f"pk = :pk AND {condition}", "ExpressionAttributeValues": values}
        return stub.answer("Query", asked | more)

    def sorts(answer: dict[str, Any]) -> list[str]:
        return [item["sk"]["S"] for item in answer["Items"]]

    assert sorts(query("sk BETWEEN :first AND :last")) == ["c#a"]
    first = query("begins_with(sk, :sk)")
    assert sorts(first) == ["o#00000000"]
    rest = query("begins_with(sk, :sk)", ExclusiveStartKey=first["LastEvaluatedKey"])
    assert sorts(rest) == ["o#00000001"]
    assert "LastEvaluatedKey" not in rest
    assert rest["Items"][0]["seal"] == {"S": "played"}, "the message of the played execution carries this seal"
    keys = [{"pk": {"S": "x#1"}, "sk": {"S": sort}} for sort in ("meta", "gone")]
    answer = stub.answer("BatchGetItem", {"RequestItems": {"stepfast": {"Keys": keys}}})
    assert [item["sk"]["S"] for item in answer["Responses"]["stepfast"]] == ["meta"]


def test_the_work_of_a_gather_is_measured_on_the_path_that_it_took() -> None:
    """Its messages carry seals. With others in the table its workers would replay, and work for longer."""
    with cloud_of([flows.gather], [flows.noop]) as watched:
        items = watched.items()
        played = watched.run(flows.gather, 3)
    (bill,) = worked([played], items)
    assert bill["cpu:step"] > 0


def test_imports_are_shared_out_by_package_and_the_least_of_their_times_counts() -> None:
    head = "import time: self [us] | cumulative | imported package\n"
    first = (
        head
        + "import time:       300 |        300 |     botocore.hooks\nimport time: 600 | 900 | stepfast.functions.step"
    )
    second = (
        head
        + "import time:       100 |        100 |     botocore.hooks\nimport time: 900 | 900 | stepfast.functions.step"
    )
    shares, worst = where([first, second])
    assert shares == {"clients": pytest.approx(6 / 7), "botocore": pytest.approx(1 / 7)}
    assert worst[0] == ("stepfast.functions.step", pytest.approx(6 / 7))
