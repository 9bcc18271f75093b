"""The log of the order, in both homes: a number is given once, and the log is read from any number on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.order import Order, asked_for, cursor_of
from stepfast.engine.ports import End
from stepfast.model import Cursor, OrderEntry
from tests.contract.test_store_contract import ONE

FIRST = OrderEntry(0, 0, ("a", "b"), ("c", 'odd "name"#2', "straße"), seal="x")
SECOND = OrderEntry(1, 0, ("c",), ("d",), ("straße",))
CUT = OrderEntry(2, 1, cut=1)


@pytest.fixture
def store(backend: Any) -> Any:
    backend.run(backend.store.create(ONE))
    return backend.store


def test_a_number_is_given_once(backend: Any, store: Any) -> None:
    assert backend.run(store.append("one", FIRST))
    assert not backend.run(store.append("one", replace(FIRST, applied=())))
    assert backend.run(store.append("one", SECOND))
    assert not backend.run(store.append("one", replace(SECOND, generation=5)))
    assert backend.run(store.entries("one")) == [FIRST, SECOND]


def test_of_many_that_append_at_once_one_wins(backend: Any, store: Any) -> None:
    rivals = [replace(FIRST, seal=str(number)) for number in range(10)]
    won = backend.run_all(*[lambda entry=entry: store.append("one", entry) for entry in rivals])
    assert won.count(True) == 1


def test_a_log_is_read_from_any_number_on(backend: Any, store: Any) -> None:
    for entry in (FIRST, SECOND, CUT):
        assert backend.run(store.append("one", entry))
    assert backend.run(store.entries("one", 1)) == [SECOND, CUT]
    assert backend.run(store.entries("one", 2)) == [CUT]
    assert list(backend.run(store.entries("one", 3))) == []
    assert list(backend.run(store.entries("nobody"))) == []


def test_a_log_that_is_read_for_one_command_says_the_same_of_it(backend: Any, store: Any) -> None:
    wide = OrderEntry(2, 0, ("a",), tuple(f"fetch#{number}" for number in range(2, 40)), ("fetch#3",), seal="y")
    for entry in (FIRST, SECOND, wide):
        assert backend.run(store.append("one", entry))
    for id in ("a", "c", "d", "fetch", "fetch#2", "fetch#3", "fetch#39", "fetch#40", "straße", "nobody's"):
        whole, of_it = backend.run(store.entries("one", 1)), backend.run(store.entries("one", 1, id))
        assert [(entry.number, entry.generation, entry.cut, entry.seal) for entry in of_it] == [
            (entry.number, entry.generation, entry.cut, entry.seal) for entry in whole
        ]
        for known in (True, False):
            assert asked_for(of_it, id, 0, known) == asked_for(whole, id, 0, known), id


def test_a_loaded_execution_has_what_its_log_comes_to(backend: Any, store: Any) -> None:
    assert backend.run(store.load("one")).cursor == Cursor()
    backend.run(store.append("one", FIRST))
    backend.run(store.append("one", SECOND))
    dispatched = frozenset({'odd "name"#2', "d"})
    assert backend.run(store.load("one")).cursor == Cursor(("a", "b", "c"), dispatched, 0, 2)
    backend.run(store.append("one", CUT))
    assert backend.run(store.load("one")).cursor == Cursor(("a",), frozenset(), 1, 3)


def test_a_cancel_ends_the_log(backend: Any, store: Any) -> None:
    backend.run(store.append("one", FIRST))
    assert backend.run(store.cancel(End(replace(ONE, status="CANCELLED", ended_at=1002.0)), [], 1))
    assert not backend.run(store.append("one", SECOND))
    assert backend.run(store.entries("one", 1)) == [OrderEntry(1, 0, ended=True)]


# -- what entries say of a command ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "command", "generation", "known", "asked"),
    [
        ([], "a", 0, False, False),
        ([], "a", 0, True, True),
        ([OrderEntry(0, 0, dispatched=("a",))], "a", 0, False, True),
        ([OrderEntry(0, 0, dispatched=("a",))], "a", 1, False, False),
        ([OrderEntry(0, 0, dispatched=("a",)), OrderEntry(1, 0, withdrawn=("a",))], "a", 0, False, False),
        ([OrderEntry(0, 0, dispatched=("a",)), OrderEntry(1, 0, applied=("a",))], "a", 0, False, False),
        ([OrderEntry(0, 0, dispatched=("a",)), OrderEntry(1, 0, applied=("b",))], "a", 0, False, True),
        ([OrderEntry(1, 0, applied=("b",))], "a", 0, True, True),
        ([OrderEntry(1, 1, cut=0)], "a", 0, True, False),
        ([OrderEntry(1, 1, cut=0)], "a", 1, True, False),
        ([OrderEntry(1, 1, cut=0), OrderEntry(2, 1, dispatched=("a",))], "a", 1, False, True),
    ],
)
def test_the_last_entry_that_names_a_command_decides(
    entries: list[OrderEntry], command: str, generation: int, known: bool, asked: bool
) -> None:
    assert asked_for(entries, command, generation, known) is asked


def test_an_order_that_grows_is_what_its_entries_come_to() -> None:
    order = Order()
    for entry in (FIRST, SECOND, CUT, OrderEntry(3, 1, ("b",), ("e", "f"), ())):
        order.extend(entry)
    assert (order.applied, order.dispatched, order.revision) == (["a", "b"], {"e", "f"}, 4)
    assert (order.sent(1), order.sent(0)) == ({"e", "f"}, set())
    assert cursor_of([FIRST, SECOND]).revision == 2
