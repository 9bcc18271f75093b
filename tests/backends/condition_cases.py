"""What the cases of conditions share: the list that they enter, executions and records, and how these are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stepfast.engine.limit_items import LimitId
from stepfast.engine.ports import Commit, End
from stepfast.model import Execution, Failure, OrderEntry, Record
from tests.backends.cloud import Cloud
from tests.backends.conditions import Use

FAILURE = Failure("E", "down", "a", None)
ONE = Execution("one", "w", "1", 1000.0)
FAILED = replace(ONE, status="FAILED", error=FAILURE, ended_at=1002.0, causes=("a",))
RESUMED = replace(ONE, generation=1, resumed_at=1005.0)
PAUSED = replace(ONE, status="PAUSED")
CANCELLED = replace(ONE, status="CANCELLED", ended_at=1003.0)
STEP = Record("a", "step", "a", "SUCCEEDED", 0, output="1")
ENTRY = OrderEntry(0, 0, ("a",))
CUT = OrderEntry(1, 1, cut=0)
OPEN = Record("a", "step", "a", "OPEN", 1, revision=2)
OTHERS = [Record(f"b#{place}", "step", "b", "OPEN", 1) for place in range(12)]

ABSENT, FOLLOWS = "attribute_not_exists(pk)", "rev = :if_rev AND gen <= :if_gen"
FREE = "attribute_not_exists(pk) OR (stat = :deleted AND gen < :if_gen AND attribute_exists(erased))"
STANDS = "stat = :if_stat AND gen = :if_gen"
UNDER_WAY = "stat IN (:if_runs, :if_rests) AND gen = :if_gen"
COUNTED = "(attribute_not_exists(n) OR n < :most) AND (attribute_not_exists(#a1) OR #a1 <= :left)"
PASSED, AHEAD = "attribute_not_exists(moment) OR moment < :least", "moment >= :least AND moment < :latest"
STRIPE, VERSION, EXISTS = LimitId("stripe"), "ver = :if_ver", "attribute_exists(pk)"
UNTOUCHED, NEVER_WRITTEN = "wrote = :wrote", "attribute_not_exists(wrote)"
IN_TRANSACTION = "TransactWriteItems"

Case = Callable[[Cloud], object]
CASES: list[tuple[Use, Case]] = []


def refuses(operation: str, item: str, expression: str) -> Callable[[Case], Case]:
    """The case is one in which this condition, and no other, refuses."""

    def add(case: Case) -> Case:
        CASES.append((Use(operation, item, expression), case))
        return case

    return add


def started(cloud: Cloud, *more: Any) -> None:
    for call in (cloud.store.create(ONE), *more):
        assert cloud.run(call)


def failed(cloud: Cloud) -> None:
    store = cloud.store
    started(cloud, store.commit("one", Commit(STEP, wake=False)), store.append("one", ENTRY), store.finish(End(FAILED)))
