"""What both homes store of limits: items under a version, lines in their order, and numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.limit_items import Holder, LimitId, LimitItem, Permit, Waiter
from stepfast.engine.messages import Message
from stepfast.language.limits import Numbers, Rate

ID = LimitId("stripe", "customer 7/ä#1")


def waiter(step: str, *, turn: str = "", priority: int = 0, since: float = 1000.0) -> Waiter:
    permit = Permit(LimitId("api"), 3, 1001.5, reserved=True)
    message = Message("step", step, "charge", 2, permits=(permit,))
    return Waiter(turn, priority, since, f"{step}/charge", message, 3, 72.0)


def test_an_item_is_written_by_whoever_has_read_its_last_version(backend: Any) -> None:
    limits = backend.store.limits
    empty = backend.run(limits.read(ID))
    assert empty == LimitItem(ID)
    holders = {"x1/charge": Holder("t1", 1000.0, 1090.0)}
    item = replace(empty, moment=1000.25, holders=holders, turn="b", changed_at=1000.0)
    first = backend.run(limits.write(item, ""))
    assert first.version != ""
    assert backend.run(limits.write(item, "")) is None
    stored = backend.run(limits.read(ID))
    assert stored == first
    assert stored.holders == holders
    assert stored.moment == 1000.25
    second = backend.run(limits.write(replace(stored, holders={}), stored.version))
    assert second is not None
    assert backend.run(limits.write(stored, stored.version)) is None
    assert backend.run(limits.read(ID)).holders == {}


def test_moments_are_reserved_by_all_who_have_read_an_item_and_none_of_them_twice(backend: Any) -> None:
    limits = backend.store.limits
    first = backend.run(limits.reserve(LimitItem(ID), 5.0, 99.0, 100.0))
    assert first.moment == 105.0
    moments = [backend.run(limits.reserve(first, 5.0, 99.0, 100.0)).moment for _ in range(3)]
    assert moments == [110.0, 115.0, 120.0]
    assert (
        backend.run(limits.write(first, first.version)) is None
    )  # Who writes the whole item sees that it has changed.
    stored = backend.run(limits.read(ID))
    assert (stored.id, stored.moment, stored.changed_at) == (ID, 120.0, 100.0)
    late = backend.run(limits.reserve(stored, 5.0, 119.0, 121.0))
    assert late.moment == 125.0  # As good as one that its step is late for.
    assert backend.run(limits.reserve(late, 5.0, 126.0, 127.0)).moment == 132.0


def test_a_reservation_keeps_what_else_the_item_has(backend: Any) -> None:
    limits = backend.store.limits
    item = LimitItem(ID, moment=90.0, turn="b", changed_at=1.0, front=95.0, put_off=2.5)
    held = backend.run(limits.write(item, ""))
    taken = backend.run(limits.reserve(held, 5.0, 99.0, 100.0))
    assert (taken.moment, taken.turn, taken.front, taken.put_off) == (105.0, "b", 95.0, 2.5)
    assert backend.run(limits.read(ID)) == taken


def test_the_gate_of_an_item_is_a_text_of_its_own(backend: Any) -> None:
    limits = backend.store.limits
    backend.run(limits.write(LimitItem(ID, gate='{"closed": true}', changed_at=1.0), ""))
    assert backend.run(limits.read(ID)).gate == '{"closed": true}'


def test_a_line_has_an_order_and_an_entry_of_a_step_stands_in_it_once(backend: Any) -> None:
    limits = backend.store.limits
    late, early, urgent = waiter("late", since=1002.0), waiter("early"), waiter("urgent", priority=9, since=1003.0)
    for entry in (late, early, urgent, early):
        backend.run(limits.join(ID, entry))
    assert [entry.message.execution_id for entry in backend.run(limits.line(ID, 9))] == ["urgent", "early", "late"]
    first = backend.run(limits.first(ID))
    assert first == urgent
    assert first.message.permits == urgent.message.permits
    assert first.message.generation == 2
    backend.run(limits.leave(ID, urgent))
    backend.run(limits.leave(ID, urgent))
    assert backend.run(limits.first(ID)) == early
    assert len(backend.run(limits.line(ID, 1))) == 1
    assert backend.run(limits.first(LimitId("stripe", "customer 7/ä"))) is None


def test_the_keys_of_a_shared_line_come_one_after_the_other(backend: Any) -> None:
    limits, id = backend.store.limits, LimitId("stripe")
    for number, whose in enumerate(("a", "a", "b", "a#", "c")):
        backend.run(limits.join(id, waiter(f"x{number}", turn=whose)))
    seen = list[str]()
    turn: str | None = None
    for _ in range(4):
        entry = backend.run(limits.first(id, turn))
        seen.append(entry.turn)
        turn = entry.turn
    assert sorted(seen) == ["a", "a#", "b", "c"]
    assert backend.run(limits.first(id, turn)) is None


def test_the_items_of_a_limit_come_in_pages(backend: Any) -> None:
    limits = backend.store.limits
    for number in range(7):
        backend.run(limits.write(LimitItem(LimitId("crm", f"k{number}"), moment=2000.0, changed_at=1000.0), ""))
    backend.run(limits.write(LimitItem(LimitId("other", "k"), moment=2000.0, changed_at=1000.0), ""))
    keys, after, pages = list[str](), "", 0
    while True:
        page, after = backend.run(limits.items("crm", 3, after))
        keys += [item.id.key for item in page]
        pages += 1
        assert len(page) <= 3
        if not after:
            break
    assert sorted(keys) == [f"k{number}" for number in range(7)]
    assert pages >= 3


def test_numbers_are_set_and_taken_back(backend: Any) -> None:
    limits = backend.store.limits
    assert backend.run(limits.numbers("stripe")) is None
    numbers = Numbers(Rate(100, 60, 20), 5)
    backend.run(limits.set_numbers("stripe", numbers, "ops"))
    assert backend.run(limits.numbers("stripe")) == (numbers, "ops")
    backend.run(limits.set_numbers("stripe", Numbers(None, 3)))
    assert backend.run(limits.numbers("stripe")) == (Numbers(None, 3), "")
    backend.run(limits.set_numbers("stripe", None))
    assert backend.run(limits.numbers("stripe")) is None


def test_a_new_owner_of_the_file_has_the_moments_and_no_slots(embedded: Any) -> None:
    limits = embedded.store.limits
    item = LimitItem(ID, moment=1500.0, holders={"x1/charge": Holder("t1", 1.0, 9e9)}, gate="closed", changed_at=1.0)
    embedded.run(limits.write(item, ""))
    embedded.ports.flush()
    embedded.reopen()
    stored = embedded.run(embedded.store.limits.read(ID))
    assert (stored.moment, stored.gate, stored.holders) == (1500.0, "closed", {})


@pytest.mark.parametrize("moment", [1000.0, 99_999.0])
def test_keys_that_are_not_in_use_leave_memory_and_file(embedded: Any, moment: float) -> None:
    limits = embedded.store.limits
    for number in range(1000):
        embedded.run(limits.write(LimitItem(LimitId("crm", f"k{number}"), moment=moment, changed_at=1000.0), ""))
    embedded.clock.time = 2000.0
    for number in range(1000):
        embedded.run(limits.write(LimitItem(LimitId("new", f"k{number}"), moment=9000.0, changed_at=2000.0), ""))
    embedded.ports.flush()
    page, _ = embedded.run(limits.items("crm", 2000))
    assert len(page) == (0 if moment < 2000.0 else 1000)
