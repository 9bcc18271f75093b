"""What is counted of executions in the simulated cloud: small ones, whose calls are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bench.aws_bill import Bill
from bench.aws_cloud import Played, Watched, cloud_of, counted
from bench.aws_flows import flows
from bench.aws_meter import METER
from stepfast.deployment.project import Project
from stepfast.simulator.rules import Rules
from stepfast.testing import MotoCloud


@pytest.fixture
def watched() -> Iterator[Watched]:
    with cloud_of([flows.chain, flows.gather, flows.retries], [flows.noop, flows.flaky]) as watched:
        yield watched


def operations(played: Played, kind: str) -> Counter[str]:
    return Counter(made.call.operation for made in played.made if made.kind == kind)


def test_an_execution_of_two_steps_is_six_writes_and_one_message(watched: Watched) -> None:
    played = watched.run(flows.chain, 2)
    assert operations(played, "authorizer") == {"GetItem": 1}
    assert operations(played, "api") == {"PutItem": 1}
    assert operations(played, "advancer") == {"Query": 2, "SendMessageBatch": 1}  # and which workflows are paused
    assert operations(played, "step") == {"Query": 1, "PutItem": 3, "UpdateItem": 2}
    bill = counted(played)
    assert (bill["writes"], bill["reads"], bill["messages"], bill["http"]) == (6, 4, 1, 1)
    # Three more for the index entry that the start makes, and that the end moves.
    assert bill["write_units"] == 6 + 1 + 2
    assert bill["queue_requests"] == 3, "sent, received and deleted"
    assert {kind: bill[f"invocations:{kind}"] for kind in ("authorizer", "api", "advancer", "step")} == {
        "authorizer": 1, "api": 1, "advancer": 1, "step": 1
    }  # fmt: skip
    assert bill["waited:step"] == pytest.approx(0.005 + 5 * 0.004)


def test_one_more_chained_step_is_one_write_of_one_unit_and_nothing_else(watched: Watched) -> None:
    short, long = (counted(watched.run(flows.chain, steps)) for steps in (3, 8))
    step = {name: value for name, value in long.less(short).per(5).quantities.items() if abs(value) > 1e-9}
    assert step == {"writes": 1, "write_units": 1, "waited:step": pytest.approx(0.004)}


def test_a_retry_is_received_twice_and_deleted_once(watched: Watched) -> None:
    without_failure, with_failure = (counted(watched.run(flows.retries, failures)) for failures in (0, 1))
    retry = with_failure.less(without_failure)
    assert (retry["visibility_changes"], retry["invocations:step"]) == (1, 1)
    assert retry["queue_requests"] == 2, "the visibility change, and one receive more"
    assert retry["writes"] == 2, "the failed attempt, and the claim of the next"


def test_what_a_gather_sends_is_counted_by_message_and_billed_by_batch(watched: Watched) -> None:
    bill = counted(watched.run(flows.gather, 12))
    assert bill["messages"] == 12
    assert bill["queue_requests"] == 2 + 12 + 12


def test_each_execution_has_its_own_calls(watched: Watched) -> None:
    first, second = (watched.run(flows.chain, steps) for steps in (4, 1))
    assert operations(first, "step")["PutItem"] == 5
    assert operations(second, "step")["PutItem"] == 2
    assert [invocation.function for invocation in second.invocations] == [
        "authorizer",
        "api",
        "advancer",
        "step-default",
    ]


def test_sandboxes_are_told_apart() -> None:
    with cloud_of([flows.gather], [flows.noop], rules=Rules(pollers=3)) as watched:
        played = watched.run(flows.gather, 9)
    assert len({made.sandbox for made in played.made if made.kind == "step"}) == 3


def test_deletions_made_in_threads_are_counted() -> None:
    with cloud_of([flows.chain], [flows.noop], Project(retention_days=1, sweep_minutes=60)) as watched:
        watched.run(flows.chain, 3)
        watched.cloud.advance(timedelta(days=1, hours=3))
        played = watched.take().without("sweeper")
    assert operations(played, "advancer") == {"GetItem": 1, "Query": 1, "DeleteItem": 3}
    assert counted(played)["write_units"] == 3


def test_first_invocations_are_split_off_with_their_calls(watched: Watched) -> None:
    first, others = watched.run(flows.chain, 1).split(2)
    assert [invocation.function for invocation in first.invocations] == ["authorizer", "api"]
    assert {made.kind for made in first.made} == {"authorizer", "api"}
    assert {made.kind for made in others.made} == {"advancer", "step"}


def test_a_cloud_that_nobody_meters_leaves_no_calls() -> None:
    before = len(METER.made)
    with MotoCloud(flows.chain) as cloud:
        cloud.run(flows.chain, 1)
    assert len(METER.made) == before


def test_nothing_is_an_empty_bill() -> None:
    assert counted(Played()) == Bill()
