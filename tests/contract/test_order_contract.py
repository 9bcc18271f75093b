"""What a store says of the durable order without giving all of it, in both homes."""

from __future__ import annotations

from typing import Any

from stepfast.model import Cursor
from tests.contract.test_store_contract import ONE


def test_a_command_is_asked_for_while_the_cursor_marks_it_in_this_generation(backend: Any) -> None:
    store = backend.store
    backend.run(store.create(ONE))
    assert backend.run(store.asked_for("one", "pay", 0)) == (0, False)
    names = frozenset({"pay", 'odd "name"#2', "straße"})
    assert backend.run(store.put_cursor("one", Cursor(("a",), names, 3, 1)))
    for name in names:
        assert backend.run(store.asked_for("one", name, 3)) == (1, True)
    assert backend.run(store.asked_for("one", "pay", 4)) == (1, False)
    for name in ("a", "pa", "pay#2", "odd", "ay"):
        assert backend.run(store.asked_for("one", name, 3)) == (1, False)
    assert backend.run(store.put_cursor("one", Cursor(("a", "pay"), frozenset(), 3, 2)))
    assert backend.run(store.asked_for("one", "pay", 3)) == (2, False)
    assert backend.run(store.asked_for("one", "pay", 3, 1)) == (2, False)
    assert backend.run(store.asked_for("one", "pay", 3, 2)) == (2, True)
    assert backend.run(store.asked_for("nobody", "pay", 3)) == (0, False)
