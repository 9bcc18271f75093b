"""The rules of ports.Queue, and what the embedded file owes its next owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stepfast.engine.messages import Message
from stepfast.engine.ports import Commit, End
from stepfast.model import Chained, Execution, OrderEntry, Record

STEP = Message("step", "one", "pay", 0, "pdf")
TIMER = Message("timer", "one", ":timer", 0)
ONE = Execution("one", "w", "1", 1000.0)


def test_messages_arrive_with_their_due_time_once_they_are_sent(backend: Any) -> None:
    backend.run(backend.queue.send([(STEP, None), (TIMER, 5000.0)]))
    assert [(one.delivery.message, one.due) for one in backend.messages] == [(STEP, 1000.0), (TIMER, 5000.0)]
    assert {one.delivery.sent_at for one in backend.messages} == {1000.0}


def test_an_entry_is_written_with_the_messages_that_it_marks(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    entry = OrderEntry(0, 0, dispatched=("pay", ":timer"))
    assert backend.run(backend.store.append("one", entry, [(STEP, None), (TIMER, 1060.0)]))
    assert [(one.delivery.message, one.due) for one in backend.messages] == [(STEP, 1000.0), (TIMER, 1060.0)]
    assert backend.run(backend.store.load("one")).cursor.dispatched == {"pay", ":timer"}


def test_what_was_not_deleted_is_there_for_the_next_owner(embedded: Any) -> None:
    embedded.run(embedded.ports.create(ONE))
    embedded.run(embedded.ports.send([(STEP, None), (TIMER, 5000.0), (replace(STEP, command_id="b"), None)]))
    first, _, third = embedded.messages
    embedded.ports.delete(first.seq)
    embedded.ports.refuse(third.seq)
    embedded.reopen()
    messages, wakes = embedded.ports.outstanding()
    assert [(one.delivery.message, one.due) for one in messages] == [(TIMER, 5000.0)]
    assert [execution_id for execution_id, _ in wakes] == ["one"]


def test_a_message_deleted_twice_takes_no_later_one_with_it(embedded: Any) -> None:
    """A handler that was overtaken deletes its message late: by then the number must mean nothing else."""
    embedded.run(embedded.ports.send([(STEP, None)]))
    (first,) = embedded.messages
    embedded.ports.delete(first.seq)
    embedded.run(embedded.ports.send([(TIMER, None)]))
    embedded.ports.delete(first.seq)
    embedded.ports.flush()
    assert [one.delivery.message for one in embedded.ports.outstanding()[0]] == [TIMER]


def test_a_wake_that_came_during_an_advance_survives_it(embedded: Any) -> None:
    embedded.run(embedded.ports.create(ONE))
    _, ((_, seq),) = embedded.ports.outstanding()
    embedded.run(embedded.ports.commit("one", Commit(Record("a", "step", "a", "SUCCEEDED", 0), wake=True)))
    embedded.ports.advanced("one", seq)
    embedded.reopen()
    assert len(embedded.ports.outstanding()[1]) == 1


def test_an_advanced_execution_is_not_advanced_by_the_next_owner(embedded: Any) -> None:
    embedded.run(embedded.ports.create(ONE))
    _, ((execution_id, seq),) = embedded.ports.outstanding()
    embedded.ports.advanced(execution_id, seq)
    embedded.reopen()
    assert embedded.ports.outstanding() == ([], [])


def test_leases_of_a_dead_owner_are_over_and_those_of_this_one_are_not(embedded: Any) -> None:
    embedded.run(embedded.ports.create(ONE))
    running = Record("a", "step", "a", "RUNNING", 0, lease=9000.0, started_at=1000.0)
    chained = Record("b", "step", "b", "SUCCEEDED", 0, ended_at=1000.0, then=Chained("c", 9000.0, 0, "", 1000.0))
    for record in (running, chained):
        embedded.run(embedded.ports.commit("one", Commit(record, wake=False)))
    held = embedded.run(embedded.ports.load("one")).records
    assert (held["a"].lease, held["b"].then.lease) == (9000.0, 9000.0)
    embedded.clock.time = 1001.0
    embedded.reopen()
    held = embedded.run(embedded.ports.load("one")).records
    assert (held["a"].lease, held["b"].then.lease) == (0.0, 0.0)


def test_idle_names_running_executions_that_nothing_is_under_way_for(embedded: Any) -> None:
    for name in ("idle", "woken", "waiting", "ended", "parked"):
        execution = Execution(name, "w", "1", 1000.0)
        embedded.run(embedded.ports.create(execution))
        if name == "ended":
            embedded.run(embedded.ports.finish(End(replace(execution, status="SUCCEEDED"))))
    for name, seq in embedded.ports.outstanding()[1]:
        if name != "woken":
            embedded.ports.advanced(name, seq)
    embedded.run(embedded.ports.send([(replace(STEP, execution_id="waiting"), 9000.0)]))
    embedded.run(embedded.ports.send([(replace(STEP, execution_id="parked"), None)]))
    embedded.ports.refuse(embedded.messages[-1].seq)
    embedded.ports.flush()  # all of the above is written
    assert embedded.run(embedded.ports.idle(10)) == (["idle", "parked"], "")
    assert embedded.run(embedded.ports.idle(1)) == (["idle"], "idle")
    assert embedded.run(embedded.ports.idle(10, "idle")) == (["parked"], "")
