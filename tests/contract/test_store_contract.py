"""The rules of ports.Store, one test each, and for every condition a test in which it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.ports import Commit, End, Fault, Query
from stepfast.errors import InvalidRequest, TooManySignals
from stepfast.model import Attempt, Chained, Cursor, Event, Execution, Failure, OrderEntry, Record, Signal, SignalLimits

ONE = Execution("one", "w", '{"a":1}', 1000.0, labels={"team": "finance", "env": "dev"}, sent="0a 0b")
FAILURE = Failure("ValueError", "down", "pay", "Traceback …")


def record(revision: int = 1, **changes: Any) -> Record:
    return replace(
        Record("pay", "step", "pay", "RUNNING", 0, revision=revision, token="t", lease=1300.0, started_at=1000.0),
        **changes,
    )


@pytest.fixture
def store(backend: Any) -> Any:
    backend.run(backend.store.create(ONE))
    backend.woken.clear()
    return backend.store


# -- start ----------------------------------------------------------------------------------------------


def test_create_puts_a_new_execution_and_wakes_it(backend: Any) -> None:
    assert backend.run(backend.store.create(ONE)) is ONE
    assert backend.run(backend.store.read("one")) == ONE
    assert backend.woken == ["one"]


def test_create_with_a_taken_id_returns_the_holder_and_changes_nothing(backend: Any, store: Any) -> None:
    other = replace(ONE, workflow="other", input="2", labels={})
    assert backend.run(store.create(other)) == ONE
    assert backend.run(store.read("one")) == ONE
    assert backend.woken == []


def test_fifty_creates_at_once_make_one_execution(backend: Any) -> None:
    candidates = [replace(ONE, created_at=1000.0 + number) for number in range(50)]
    held = backend.run_all(*(lambda one=one: backend.store.create(one) for one in candidates))
    assert len({one.created_at for one in held}) == 1
    assert sum(one is candidate for one, candidate in zip(held, candidates, strict=True)) == 1
    assert backend.woken == ["one"]


def test_what_is_unknown_reads_as_none(backend: Any) -> None:
    assert backend.run(backend.store.read("nobody")) is None
    assert backend.run(backend.store.load("nobody")) is None


# -- records --------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was_written(backend: Any, store: Any) -> None:
    full = Record(
        "pay#2", "step", "pay", "FAILED", 3, attempt=2, interrupted=1, token="t", lease=None, due=7.5,
        input='{"x":"é"}', output="null", error=FAILURE, first_at=1.0, started_at=2.0, ended_at=3.0,
        then=Chained("ship", 5.0, 3, "abc", 4000.0), signal="s1",
        attempts=(Attempt(1, 1.0, 1.5, FAILURE, 2.0), Attempt(2, 2.0, None, None, None)),
    )  # fmt: skip
    assert backend.run(store.commit("one", Commit(full, wake=False)))
    assert backend.run(store.load("one")).records == {"pay#2": full}


def test_a_commit_wakes_only_if_told_to(backend: Any, store: Any) -> None:
    backend.run(store.commit("one", Commit(record(), wake=False)))
    assert backend.woken == []
    backend.run(store.commit("one", Commit(record(2), wake=True)))
    assert backend.woken == ["one"]


@pytest.mark.parametrize(("stored", "written"), [(0, 2), (1, 1), (1, 3), (2, 2)])
def test_a_commit_refuses_a_revision_that_does_not_follow(backend: Any, store: Any, stored: int, written: int) -> None:
    for revision in range(1, stored + 1):
        assert backend.run(store.commit("one", Commit(record(revision), wake=False)))
    before = backend.run(store.load("one"))
    assert not backend.run(store.commit("one", Commit(record(written, status="SUCCEEDED"), wake=True)))
    assert backend.run(store.load("one")) == before
    assert backend.woken == []


def test_of_many_claims_at_once_one_wins(backend: Any, store: Any) -> None:
    claims = [record(token=str(number)) for number in range(20)]
    committed = backend.run_all(*(lambda one=one: store.commit("one", Commit(one, wake=False)) for one in claims))
    won = [one.record for one in committed]
    assert won.count(True) == 1
    assert backend.run(store.load("one")).records["pay"] == claims[won.index(True)]


def test_one_record_is_read_with_its_execution(backend: Any, store: Any) -> None:
    backend.run(store.commit("one", Commit(record(), wake=False)))
    assert backend.run(store.peek("one", "pay")) == (ONE, record())
    assert backend.run(store.peek("one", "other")) == (ONE, None)
    assert backend.run(store.peek("nobody", "pay")) is None


def test_a_last_result_is_written_with_the_end_that_follows_from_it(backend: Any, store: Any) -> None:
    assert backend.run(store.commit("one", Commit(record(), wake=False)))
    last = record(2, status="SUCCEEDED", output="1", lease=None)
    assert not backend.run(store.commit("one", Commit(replace(last, revision=3), wake=False, end=End(SUCCEEDED))))
    assert backend.run(store.read("one")) == ONE
    assert backend.run(store.commit("one", Commit(last, wake=False, end=End(SUCCEEDED))))
    assert backend.run(store.peek("one", "pay")) == (SUCCEEDED, last)
    assert backend.woken == []


def test_a_last_result_is_written_although_its_execution_has_ended_otherwise(backend: Any, store: Any) -> None:
    cancelled = replace(ONE, status="CANCELLED", ended_at=1000.5)
    assert backend.run(store.cancel(End(cancelled), []))
    assert backend.run(store.commit("one", Commit(record(status="SUCCEEDED"), wake=False, end=End(SUCCEEDED))))
    assert backend.run(store.read("one")) == cancelled


# -- ends -----------------------------------------------------------------------------------------------

SUCCEEDED = replace(ONE, status="SUCCEEDED", result="[1]", ended_at=1001.0)
FAILED = replace(ONE, status="FAILED", error=FAILURE, causes=("pay",), ended_at=1001.0)


@pytest.mark.parametrize("ended", [SUCCEEDED, FAILED])
def test_an_execution_ends_once(backend: Any, store: Any, ended: Execution) -> None:
    assert backend.run(store.finish(End(ended)))
    assert backend.run(store.read("one")) == ended
    for other in (SUCCEEDED, FAILED):
        assert not backend.run(store.finish(End(other)))
    assert backend.run(store.read("one")) == ended


def test_finish_refuses_another_generation(backend: Any, store: Any) -> None:
    assert not backend.run(store.finish(End(replace(SUCCEEDED, generation=1))))
    assert backend.run(store.read("one")) == ONE


def test_cancel_writes_the_records_with_the_status(backend: Any, store: Any) -> None:
    backend.run(store.commit("one", Commit(record(), wake=False)))
    cancelled = [record(2, status="CANCELLED"), Record("t", "timer", "timer", "CANCELLED", 0)]
    assert backend.run(store.cancel(End(replace(ONE, status="CANCELLED", ended_at=1002.0)), cancelled))
    loaded = backend.run(store.load("one"))
    assert loaded.execution.status == "CANCELLED"
    assert {one.status for one in loaded.records.values()} == {"CANCELLED"}
    assert not backend.run(store.commit("one", Commit(record(2, status="SUCCEEDED"), wake=True)))


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([record(3)], id="record has moved on"),
        pytest.param(
            [record(2), Record("pay#2", "step", "pay", "CANCELLED", 0, revision=2)], id="one of two is absent"
        ),
        pytest.param([record(1, status="CANCELLED")], id="record thought absent"),
    ],
)
def test_cancel_is_all_or_nothing(backend: Any, store: Any, records: list[Record]) -> None:
    backend.run(store.commit("one", Commit(record(), wake=False)))
    before = backend.run(store.load("one"))
    assert not backend.run(store.cancel(End(replace(ONE, status="CANCELLED")), records))
    assert backend.run(store.load("one")) == before


@pytest.mark.parametrize("order", [0, 1])
def test_cancel_refuses_records_made_from_another_order(backend: Any, store: Any, order: int) -> None:
    for number in (0, 1):
        backend.run(store.append("one", OrderEntry(number, 0, ("a",))))
    cancelled = replace(ONE, status="CANCELLED", ended_at=1002.0)
    assert not backend.run(store.cancel(End(cancelled), [record(1, status="CANCELLED")], order))
    loaded = backend.run(store.load("one"))
    assert (loaded.execution, loaded.records) == (ONE, {})
    assert backend.run(store.cancel(End(cancelled), [record(1, status="CANCELLED")], 2))


def test_cancel_refuses_another_generation(backend: Any, store: Any) -> None:
    assert not backend.run(store.cancel(End(replace(ONE, status="CANCELLED", generation=1)), []))
    assert backend.run(store.read("one")) == ONE


def test_cancel_refuses_what_has_ended(backend: Any, store: Any) -> None:
    backend.run(store.finish(End(FAILED)))
    assert not backend.run(store.cancel(End(replace(FAILED, status="CANCELLED")), []))
    assert backend.run(store.read("one")) == FAILED


# -- resume ---------------------------------------------------------------------------------------------

RESUMED = replace(ONE, generation=1, resumed_at=1002.0)
CUT = OrderEntry(1, 1, cut=0)
REOPENED = Record("pay", "step", "pay", "OPEN", 1, revision=2)
EVENTS = [Event(1001.0, "step-failed", "pay", {"attempt": 2}), Event(1002.0, "execution-resumed")]


@pytest.fixture
def failed(backend: Any, store: Any) -> Any:
    backend.run(store.commit("one", Commit(record(status="FAILED", error=FAILURE), wake=False)))
    backend.run(store.append("one", OrderEntry(0, 0, ("pay",))))
    backend.run(store.finish(End(FAILED)))
    backend.woken.clear()
    return store


def test_rewind_writes_everything_and_wakes(backend: Any, failed: Any) -> None:
    assert backend.run(failed.rewind(RESUMED, CUT, [REOPENED], EVENTS))
    loaded = backend.run(failed.load("one"))
    cursor = Cursor((), frozenset(), 1, 2)
    assert (loaded.execution, loaded.cursor, loaded.records) == (RESUMED, cursor, {"pay": REOPENED})
    assert backend.run(failed.history("one")) == EVENTS
    assert backend.woken == ["one"]


@pytest.mark.parametrize(
    ("execution", "cut", "records"),
    [
        pytest.param(replace(ONE, generation=2), CUT, [REOPENED], id="of another generation"),
        pytest.param(RESUMED, replace(CUT, number=0), [REOPENED], id="order has moved on"),
        pytest.param(RESUMED, CUT, [replace(REOPENED, revision=3)], id="record has moved on"),
        pytest.param(RESUMED, CUT, [replace(REOPENED, revision=1)], id="record thought absent"),
        pytest.param(RESUMED, CUT, [REOPENED, replace(REOPENED, id="new", revision=2)], id="one of two is absent"),
    ],
)
def test_rewind_is_all_or_nothing(backend: Any, failed: Any, execution: Any, cut: Any, records: Any) -> None:
    before = backend.run(failed.load("one"))
    assert not backend.run(failed.rewind(execution, cut, records, EVENTS))
    assert backend.run(failed.load("one")) == before
    assert backend.run(failed.history("one")) == []
    assert backend.woken == []


def test_rewind_refuses_what_is_not_failed(backend: Any, store: Any) -> None:
    assert not backend.run(store.rewind(RESUMED, replace(CUT, number=0), [], EVENTS))
    assert backend.run(store.read("one")) == ONE


def test_a_failure_is_resumed_once(backend: Any, failed: Any) -> None:
    won = backend.run_all(*[lambda: failed.rewind(RESUMED, CUT, [REOPENED], EVENTS)] * 10)
    assert won.count(True) == 1
    assert len(backend.run(failed.history("one"))) == len(EVENTS)


def test_the_history_of_several_resumes_is_in_the_order_written(backend: Any, failed: Any) -> None:
    assert backend.run(failed.rewind(RESUMED, CUT, [REOPENED], EVENTS))
    again = replace(REOPENED, status="FAILED", revision=3)
    assert backend.run(failed.commit("one", Commit(again, wake=False)))
    assert backend.run(failed.finish(End(replace(FAILED, generation=1, resumed_at=1002.0))))
    later = [Event(1003.0, "step-failed", "pay"), Event(1000.5, "execution-failed"), Event(1004.0, "execution-resumed")]
    reopened = replace(REOPENED, generation=2, revision=4)
    assert backend.run(failed.rewind(replace(RESUMED, generation=2), OrderEntry(2, 2, cut=0), [reopened], later))
    assert backend.run(failed.history("one")) == EVENTS + later


# -- signals --------------------------------------------------------------------------------------------


def test_a_signal_id_is_taken_once_and_its_holder_returned(backend: Any, store: Any) -> None:
    first = Signal("s1", "go", "1", 1000.0)
    assert backend.run(store.add_signal("one", first)) is first
    assert backend.run(store.add_signal("one", Signal("s1", "other", "2", 1001.0))) == first
    assert backend.run(store.load("one")).signals == (first,)
    assert backend.woken == ["one"]


def test_signals_are_numbered_as_they_arrive_whatever_their_times_and_ids(backend: Any, store: Any) -> None:
    sent = [Signal(id, "go", f'"{id}"', at) for id, at in (("c", 5.0), ("a", 5.0), ("z", 1.0), ("b", 5.0))]
    for one in sent:
        backend.run(store.add_signal("one", one))
    found = backend.run(store.signals("one"))
    assert [one.signal_id for one in found] == ["c", "a", "z", "b"]
    assert [one.number for one in found] == [1, 2, 3, 4]
    assert backend.run(store.load("one")).signals == tuple(sent)
    new = [one for one in backend.run(store.signals("one", after=2)) if one.number > 2]
    assert [one.signal_id for one in new] == ["z", "b"]


def test_a_load_leaves_signals_out_when_asked_and_says_so(backend: Any, store: Any) -> None:
    sent = Signal("s", "go", '"payload"', 1.0)
    backend.run(store.add_signal("one", sent))
    snapshot = backend.run(store.load("one", signals=False))
    assert (snapshot.signals, snapshot.has_signals) == ((), False)
    assert backend.run(store.load("one")).has_signals
    (head,) = backend.run(store.signals("one", payloads=False))
    assert (head.signal_id, head.name, head.payload) == ("s", "go", "")
    assert backend.run(store.signal("one", "s")) == sent
    assert backend.run(store.signal("one", "other")) is None


def test_signals_are_bounded_in_number_and_bytes_and_what_is_there_is_found_all_the_same(
    backend: Any, store: Any
) -> None:
    limits = SignalLimits(count=3, bytes=20)
    sent = [Signal(f"s{number}", "go", '"12345"', 1.0) for number in range(2)]
    for one in sent:
        assert backend.run(store.add_signal("one", one, limits)) is one
    with pytest.raises(TooManySignals, match="max_signal_bytes"):
        backend.run(store.add_signal("one", Signal("long", "go", '"12345"', 1.0), limits))
    third = Signal("short", "go", '"é"', 1.0)
    assert backend.run(store.add_signal("one", third, limits)) is third
    with pytest.raises(TooManySignals, match="max_signals"):
        backend.run(store.add_signal("one", Signal("s3", "go", "1", 1.0), limits))
    assert backend.run(store.add_signal("one", sent[0], limits)) == sent[0]
    assert [one.signal_id for one in backend.run(store.signals("one"))] == ["s0", "s1", "short"]
    huge = Signal("s0", "go", "1" * 21, 1.0)
    backend.run(store.create(replace(ONE, execution_id="other")))
    with pytest.raises(TooManySignals):
        backend.run(store.add_signal("other", huge, limits))


# -- pages ----------------------------------------------------------------------------------------------


@pytest.fixture
def many(backend: Any) -> Any:
    for number in range(25):
        labels = {"parity": str(number % 2), "third": str(number % 3)}
        execution = Execution(f"e{number:02}", f"w{number % 2}", "1", 1000.0 + number // 2, labels=labels)
        backend.run(backend.store.create(execution))
        if number % 5 == 0:
            backend.run(backend.store.finish(End(replace(execution, status="FAILED", error=FAILURE, ended_at=2000.0))))
    return backend.store


def ids(page: Any) -> list[str]:
    return [one.execution_id for one in page.executions]


def test_pages_are_newest_first_and_hold_each_execution_once(backend: Any, many: Any) -> None:
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = backend.run(many.page(Query(limit=7, cursor=cursor)))
        seen, cursor, pages = seen + ids(page), page.next, pages + 1
    assert seen == [f"e{number:02}" for number in range(24, -1, -1)]
    assert pages == 4


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(workflow="w1", until=1002.0), ["e03", "e01"]),
        (Query(status="FAILED"), ["e20", "e15", "e10", "e05", "e00"]),
        (Query(labels={"parity": "0", "third": "0"}), ["e24", "e18", "e12", "e06", "e00"]),
        (Query(since=1011.0), ["e24", "e23", "e22"]),
        (Query(since=1001.0, until=1002.0), ["e03", "e02"]),
        (Query(workflow="none"), []),
    ],
)
def test_pages_are_filtered(backend: Any, many: Any, query: Query, expected: list[str]) -> None:
    assert ids(backend.run(many.page(query))) == expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("a_1", ["a_1%", "a_10", "a_1-"]),
        ("a", ["a_1%", "ax1", "a_1", "a_10", "a_1-"]),
        ("A", ["AB"]),
        ("a_1%", []),
        ("z", []),
        ("\N{MONKEY}", ["\N{MONKEY}x"]),
    ],
)
def test_a_prefix_finds_the_ids_that_begin_with_it_and_go_on(backend: Any, prefix: str, expected: list[str]) -> None:
    for number, id in enumerate(["a_1-", "a_10", "A", "AB", "a_1", "ax1", "a_1%", "\N{MONKEY}x", "b"]):
        backend.run(backend.store.create(Execution(id, "w", "1", 1000.0 + number)))
    assert ids(backend.run(backend.store.page(Query(prefix=prefix)))) == expected


def test_pages_of_a_prefix_are_filtered_and_followed_like_others(backend: Any, many: Any) -> None:
    found: list[str] = []
    query = Query(workflow="w0", status="FAILED", prefix="e", limit=2)
    while True:
        page = backend.run(many.page(query))
        found += ids(page)
        if page.next is None:
            break
        query = replace(query, cursor=page.next)
    assert found == ["e20", "e10", "e00"]
    assert ids(backend.run(many.page(Query(prefix="e1", until=1006.0, labels={"parity": "1"})))) == ["e11"]


def test_without_values_everything_else_is_the_same(backend: Any, many: Any) -> None:
    done = backend.run(many.read("e07"))
    backend.run(many.finish(End(replace(done, status="SUCCEEDED", result="[1]", ended_at=2000.0))))
    whole = backend.run(many.page(Query(limit=100))).executions
    assert {one.result for one in whole} == {None, "[1]"}
    expected = tuple(replace(one, input="", result=None) for one in whole)
    assert backend.run(many.page(Query(limit=100, values=False))).executions == expected
    asked = ["e07", "nobody", "e20", "e07"]
    found = backend.run(many.read_many(asked))
    assert {one.execution_id: one for one in found} == {
        one.execution_id: one for one in expected if one.execution_id in asked
    }
    assert len(found) == 2
    assert backend.run(many.read_many([])) == []


# -- what has failed ------------------------------------------------------------------------------------


def test_faults_tell_of_failed_executions_alone_newest_first(backend: Any, many: Any) -> None:
    found, complete = backend.run(many.faults(None, 10))
    assert complete
    assert [one.execution_id for one in found] == ["e20", "e15", "e10", "e05", "e00"]
    assert found[1] == Fault("e15", "w1", 1007.0, "pay", "ValueError", 0)
    only, complete = backend.run(many.faults("w1", 10))
    assert ([one.execution_id for one in only], complete) == (["e15", "e05"], True)
    assert backend.run(many.faults("none", 10)) == ([], True)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_no_more_faults_than_asked_for_and_whether_there_are_more(backend: Any, many: Any, limit: int) -> None:
    found, complete = backend.run(many.faults(None, limit))
    assert len(found) == min(limit, 5)
    assert complete is (limit >= 5)


def test_a_resumed_execution_is_no_fault_until_it_fails_again(backend: Any, failed: Any) -> None:
    assert backend.run(failed.rewind(RESUMED, CUT, [REOPENED], EVENTS))
    assert backend.run(failed.faults(None, 10)) == ([], True)
    own = replace(FAILED, generation=1, resumed_at=1002.0, error=Failure("NonDeterministic", "…"))
    assert backend.run(failed.finish(End(own)))
    assert backend.run(failed.faults(None, 10)) == ([Fault("one", "w", 1000.0, None, "NonDeterministic", 1)], True)


def test_a_failure_without_an_error_is_a_fault_all_the_same(backend: Any, store: Any) -> None:
    assert backend.run(store.finish(End(replace(ONE, status="FAILED", ended_at=1001.0))))
    assert backend.run(store.faults(None, 10)) == ([Fault("one", "w", 1000.0, None, None, 0)], True)


@pytest.mark.parametrize("cursor", ["rubbish", "W10=", "bnVsbA==", "é", ""])
def test_a_cursor_that_is_not_ours_is_refused(backend: Any, many: Any, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        backend.run(many.page(Query(cursor=cursor)))
