"""Command ids in the order's entries: few bytes, and exactly the same ids in the same order."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfast.backends.dynamodb.id_runs import last_unpacked, occurrences, packed, unpacked

PARTS = st.sampled_from(["fetch", "branch", "#", "/", "0", "1", "2", "9", "10", "007", ":timer", ""])
IDS = st.lists(st.lists(PARTS, max_size=6).map("".join), max_size=12)


@given(IDS)
def test_all_ids_come_back_in_their_order(ids: list[str]) -> None:
    assert list(unpacked(json.loads(json.dumps(packed(ids))))) == ids


@given(IDS, st.integers(1, 14))
def test_the_last_ids_are_those_that_come_last(ids: list[str], most: int) -> None:
    assert list(last_unpacked(packed(ids), most)) == ids[-most:]


@given(IDS, st.lists(PARTS, max_size=6).map("".join))
def test_one_id_is_found_as_often_as_it_is_there(ids: list[str], other: str) -> None:
    for id in {*ids, other, other + "0" * 5000, "fetch#1", "fetch#10"}:
        assert list(occurrences(packed(ids), id)) == [each for each in ids if each == id]


def test_no_run_is_unpacked_to_find_an_id() -> None:
    ids = [["fetch#", 2, 10**15, "/x"]]
    assert list(occurrences(ids, "fetch#77/x")) == ["fetch#77/x"]
    for id in ("fetch#1/x", "fetch#077/x", "fetch#+7/x", "fetch#٣/x", "fetch#77", "fetch#/x"):
        assert list(occurrences(ids, id)) == []


@pytest.mark.parametrize(
    ("ids", "items"),
    [
        (["fetch", *(f"fetch#{number}" for number in range(2, 10_001))], 2),
        ([f"branch#{number}/fetch" for number in range(2, 10_001)], 1),
        ([f"step{number}" for number in range(9)], 1),
        ([f"a#{number}/b#{number}" for number in range(5)], 5),
    ],
)
def test_ids_that_count_up_are_one_run(ids: list[str], items: int) -> None:
    assert len(packed(ids)) == items
    assert list(unpacked(packed(ids))) == ids


def test_numbers_with_leading_zeros_are_no_run() -> None:
    ids = ["part-08", "part-09", "part-10", "part-11"]
    assert list(unpacked(packed(ids))) == ids
    assert packed(ids)[:2] == ["part-08", "part-09"]
