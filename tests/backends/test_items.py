"""Items and values: whatever the model holds comes back as it was, and small."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import dynamodb as moto_dynamodb

from stepfast.backends.dynamodb import items, order_items
from stepfast.backends.dynamodb.attempts import ATTEMPTS_KEPT, TRACED, attempts_of, attempts_text
from stepfast.backends.dynamodb.listing_keys import listing_keys, sortable
from stepfast.backends.dynamodb.table import EXPIRES, LISTED
from stepfast.backends.dynamodb.typed_json import number, same, size_of, text
from stepfast.errors import StartupError
from stepfast.model import Attempt, Chained, Event, Execution, Failure, Link, OrderEntry, Record, Signal
from stepfast.standing import ForkedFrom, Intervention, StartInfo
from tests.properties.test_store_machine import ENTRIES, EVENTS, FAILURE, JSON, LABELS, RECORDS, TEXTS, TIMES

FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100).filter(
    lambda one: one == 0.0 or abs(one) > 1e-100
)


def as_dynamodb_gives_it(item: dict[str, Any]) -> dict[str, Any]:
    """Numbers come back in DynamoDB's own form: no exponent, no zeros behind the point."""

    def given_back(value: dict[str, Any]) -> dict[str, Any]:
        if "N" not in value:
            return value
        plain = format(Decimal(value["N"]).normalize(), "f")
        return {"N": plain}

    return {name: given_back(value) for name, value in item.items()}


@given(FLOATS)
def test_every_time_comes_back_exactly(at: float) -> None:
    back = as_dynamodb_gives_it({"at": number(at)})["at"]["N"]
    assert float(back) == at
    assert len(back.strip("-0").replace(".", "").strip("0")) <= 38


@given(RECORDS, st.integers(1, 10**9), st.booleans())
def test_a_record_comes_back(record: Record, revision: int, wake: bool) -> None:
    record = replace(record, revision=revision)
    item = items.record_item("one", record, 1000.0, wake=wake)
    assert items.record_of(as_dynamodb_gives_it(item)) == record
    assert ("wake" in item) is wake


@given(
    st.builds(
        Execution,
        execution_id=st.just("one"),
        workflow=TEXTS,
        input=JSON,
        created_at=TIMES,
        status=st.sampled_from(["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]),
        generation=st.integers(0, 999_999),
        result=st.none() | JSON,
        error=st.none() | FAILURE,
        labels=LABELS,
        ended_at=st.none() | TIMES,
        causes=st.lists(TEXTS, max_size=3).map(tuple),
        resumed_at=st.none() | TIMES,
    )
)
def test_an_execution_comes_back(execution: Execution) -> None:
    keys = listing_keys("one", execution.status, execution.created_at, 4)
    item = items.meta_item(execution, {"input": text(execution.input)}, keys, 1000.0)
    assert items.execution_of(as_dynamodb_gives_it(item), execution.input) == execution


@given(ENTRIES, EVENTS, st.builds(Signal, TEXTS, TEXTS, JSON, TIMES))
def test_entries_events_and_signals_come_back(entry: OrderEntry, events: list[Event], signal: Signal) -> None:
    for written in (replace(entry, number=7), replace(entry, cut=2, seal="x"), OrderEntry(3, 1, ended=True)):
        assert order_items.entry_of(as_dynamodb_gives_it(order_items.entry_item("one", written, 1.0))) == written
    assert items.signal_of(as_dynamodb_gives_it(items.signal_item("one", signal, 7, 1.0))) == signal
    for event in events:
        assert items.event_of(as_dynamodb_gives_it(items.event_item("one", event, "z#", 1.0))) == event


def test_no_field_of_the_model_is_forgotten() -> None:
    """A field that is added to the model must get an attribute: every one here differs from its default."""
    failure = Failure("A", "b", "c", "d")
    record = Record(
        "a", "timer", "b", "FAILED", 1, 2, 3, 4, "t", 5.0, 6.0, "1", "2", failure, 7.0, 8.0, 9.0,
        Chained("c", 1.0, 2, "d", 3.0), "s", (Attempt(1, 2.0, 3.0, failure, 4.0),), ("one.a",), "{}", "[]", "1",
    )  # fmt: skip
    link = Link("zero", "child:w", 3, "root", 2, "leave", True, 2, "0c")
    execution = Execution(
        "one", "w", "1", 1.0, "FAILED", 2, "3", failure, {"a": "b"}, 4.0, ("c",), 5.0, 1, "0a 0b", link, "[1]", 2, 6.0,
        continued=True, traceparent="00-1-2-01",
        start=StartInfo("replaced", "k", True, 7.0, 8, "two", ("t", 1.0, 2.0, 3), "d"),
        intervention=Intervention("pause", 7.0, "ann", "why", "zero", 8.0), shown="{}",
        forked=ForkedFrom("two", 2, 1, ("a",), 7.0, "ann", "why", "0f", 8.0, (("0a", 3),)),
    )  # fmt: skip
    for made in (record, execution):
        untouched = [
            one.name
            for one in dataclasses.fields(made)
            if one.default is not dataclasses.MISSING and getattr(made, one.name) == one.default
        ]
        assert untouched == []
    assert items.record_of(items.record_item("one", record, 1.0)) == record
    item = items.meta_item(execution, {"input": text("1")}, listing_keys("one", "FAILED", 1.0, 1), 1.0)
    item |= {"prog": text("[1]"), "run": number(2), "began": number(6.0), "shown": text("{}")}  # a start has none
    assert items.archived_of(item, "1", execution) == execution


def test_absent_fields_are_left_out() -> None:
    record = Record("a", "step", "a", "OPEN", 0)
    assert set(items.record_item("one", record, 1.0)) == {
        "pk",
        "sk",
        "v",
        "wrote",
        "rev",
        "gen",
        "stat",
        "kind",
        "name",
    }


@pytest.mark.parametrize("id", ["a" * 998, "a" * 999, "a" * 1001, "é" * 501, "a" * 5000])
def test_a_command_id_of_any_length_has_a_key(id: str) -> None:
    item = items.record_item("one", Record(id, "step", "a", "OPEN", 0), 1.0)
    assert len(item["sk"]["S"].encode()) <= 1024
    assert items.record_of(item).id == id


def test_what_a_newer_stepfast_wrote_is_refused_and_what_an_older_one_wrote_is_read() -> None:
    record = Record("a", "step", "a", "OPEN", 0)
    item = items.record_item("one", record, 1.0)
    with pytest.raises(StartupError, match="'one'.*newer stepfast.*schema 6.*deploy"):
        items.record_of({**item, "v": number(6)})
    assert items.record_of({**item, "v": number(0)}) == record
    assert items.record_of({name: value for name, value in item.items() if name not in ("v", "wrote")}) == record


def test_no_name_in_an_expression_is_a_reserved_word() -> None:
    """Those of updates are named by placeholders."""
    words = Path(moto_dynamodb.__path__[0], "parsing", "reserved_keywords.txt").read_text().split()
    used = {"pk", "sk", "rev", "stat", "gen", "wrote", "list_pk", "list_sk", "turn", EXPIRES, *LISTED}
    assert {one.upper() for one in used}.isdisjoint(words)


def test_items_are_the_same_whenever_they_were_written_and_however_numbers_are() -> None:
    item = items.record_item("one", Record("a", "step", "a", "OPEN", 0, lease=1000.0), 1.0)
    assert same(item, as_dynamodb_gives_it({**item, "wrote": number(2.0)}))
    assert not same(item, {**item, "lease": number(1000.5)})
    assert not same(item, {**item, "wake": number(1)})
    assert not same(item, {**item, "name": text("b")})


@given(st.lists(st.floats(0, 1e12), min_size=2))
def test_times_sort_as_texts_do(times: list[float]) -> None:
    assert sorted(map(sortable, times)) == [sortable(at) for at in sorted(times)]
    assert len({sortable(at) for at in times}) == len({*times})
    assert {len(sortable(at)) for at in times} == {16}


# -- past attempts ---------------------------------------------------------------------------------------


def failure(number: int) -> Failure:
    return Failure("ConnectError", f"attempt {number}: " + "x" * 500, "pay", f"{number}\n" + "t" * 3000)


def past(count: int) -> tuple[Attempt, ...]:
    return tuple(Attempt(number, float(number), number + 0.5, failure(number), number + 1.0) for number in range(count))


def test_the_last_attempts_are_kept_and_the_last_three_with_tracebacks() -> None:
    attempts = past(50)
    back = attempts_of(attempts_text(attempts, attempts[-1].error), attempts[-1].error)
    assert [one.number for one in back] == list(range(50 - ATTEMPTS_KEPT, 50))
    assert back[-1] == attempts[-1]
    traced = [one.error.traceback for one in back if one.error is not None]
    assert [one is not None for one in traced] == [False] * (ATTEMPTS_KEPT - TRACED) + [True] * TRACED
    assert [(one.started_at, one.ended_at, one.next_at) for one in back] == [
        (one.started_at, one.ended_at, one.next_at) for one in attempts[-ATTEMPTS_KEPT:]
    ]
    assert all(one.error is not None and one.error.message.startswith(f"attempt {one.number}: ") for one in back)


def test_equal_failures_are_written_once_and_the_records_own_not_at_all() -> None:
    same_error = failure(1)
    attempts = tuple(replace(one, error=same_error) for one in past(3))
    assert len(attempts_text(attempts, same_error)) < 150
    assert attempts_of(attempts_text(attempts, same_error), same_error) == attempts
    assert len(attempts_text(attempts, None)) < 2000


def test_an_attempt_that_was_cut_off_has_no_failure() -> None:
    attempts = (Attempt(1, 1.0, None, None, 2.0), Attempt(2, 2.0, 3.0, Failure("E", "m")))
    assert attempts_of(attempts_text(attempts, None), None) == attempts


def test_half_a_surrogate_pair_in_a_failure_can_be_sent() -> None:
    broken = Failure("OSError", "no file 'a\udcff'", None, None)
    item = items.record_item("one", Record("a", "step", "a", "FAILED", 0, error=broken), 1.0)
    assert size_of(item) > 0
    assert items.record_of(item).error == broken


# -- sizes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"a": text("é")}, 3),
        ({"ab": {"B": b"123"}}, 5),
        ({"a": number(1000.0)}, 3),
        ({"a": number(1_790_000_000.123456)}, 10),
        ({"a": number(-12)}, 4),
        ({"a": {"M": {"k": text("vv")}}}, 8),
        ({"a": {"L": [text("vv"), {"BOOL": True}]}}, 9),
    ],
)
def test_sizes_follow_the_published_rules(item: dict[str, Any], size: int) -> None:
    assert math.isclose(size_of(item), size, abs_tol=1)
