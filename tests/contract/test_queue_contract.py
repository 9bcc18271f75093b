"""The rules of ports.Queue, and what the embedded file owes its next owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stepfast.model import Chained, Execution, Message, Record

STEP = Message("step", "one", "pay", 0, "pdf")
TIMER = Message("timer", "one", ":timer", 0)
ONE = Execution("one", "w", "1", 1000.0)


def test_messages_arrive_with_their_due_time_once_they_are_stored(backend: Any) -> None:
    backend.run(backend.ports.send([(STEP, None), (TIMER, 5000.0)]))
    assert [(one.delivery.message, one.due) for one in backend.messages] == [(STEP, 1000.0), (TIMER, 5000.0)]
    assert {one.delivery.sent_at for one in backend.messages} == {1000.0}


def test_what_was_not_deleted_is_there_for_the_next_owner(backend: Any) -> None:
    backend.run(backend.ports.create(ONE))
    backend.run(backend.ports.send([(STEP, None), (TIMER, 5000.0), (replace(STEP, command_id="b"), None)]))
    first, _, third = backend.messages
    backend.ports.delete(first.seq)
    backend.ports.refuse(third.seq)
    backend.reopen()
    messages, wakes = backend.ports.outstanding()
    assert [(one.delivery.message, one.due) for one in messages] == [(TIMER, 5000.0)]
    assert [execution_id for execution_id, _ in wakes] == ["one"]


def test_a_message_deleted_twice_takes_no_later_one_with_it(backend: Any) -> None:
    """A handler that was overtaken deletes its message late: by then the number must mean nothing else."""
    backend.run(backend.ports.send([(STEP, None)]))
    (first,) = backend.messages
    backend.ports.delete(first.seq)
    backend.run(backend.ports.send([(TIMER, None)]))
    backend.ports.delete(first.seq)
    backend.run(backend.ports.send([]))
    assert [one.delivery.message for one in backend.ports.outstanding()[0]] == [TIMER]


def test_a_wake_that_came_during_an_advance_survives_it(backend: Any) -> None:
    backend.run(backend.ports.create(ONE))
    _, ((_, seq),) = backend.ports.outstanding()
    backend.run(backend.ports.put_record("one", Record("a", "step", "a", "SUCCEEDED", 0), wake=True))
    backend.ports.advanced("one", seq)
    backend.reopen()
    assert len(backend.ports.outstanding()[1]) == 1


def test_an_advanced_execution_is_not_advanced_by_the_next_owner(backend: Any) -> None:
    backend.run(backend.ports.create(ONE))
    _, ((execution_id, seq),) = backend.ports.outstanding()
    backend.ports.advanced(execution_id, seq)
    backend.reopen()
    assert backend.ports.outstanding() == ([], [])


def test_leases_of_a_dead_owner_are_over_and_those_of_this_one_are_not(backend: Any) -> None:
    backend.run(backend.ports.create(ONE))
    running = Record("a", "step", "a", "RUNNING", 0, lease=9000.0, started_at=1000.0)
    chained = Record("b", "step", "b", "SUCCEEDED", 0, ended_at=1000.0, then=Chained("c", 9000.0, 0, "", 1000.0))
    for record in (running, chained):
        backend.run(backend.ports.put_record("one", record, wake=False))
    held = backend.run(backend.ports.load("one")).records
    assert (held["a"].lease, held["b"].then.lease) == (9000.0, 9000.0)
    backend.clock.time = 1001.0
    backend.reopen()
    held = backend.run(backend.ports.load("one")).records
    assert (held["a"].lease, held["b"].then.lease) == (0.0, 0.0)


def test_idle_names_running_executions_that_nothing_is_under_way_for(backend: Any) -> None:
    for name in ("idle", "woken", "waiting", "ended", "parked"):
        execution = Execution(name, "w", "1", 1000.0)
        backend.run(backend.ports.create(execution))
        if name == "ended":
            backend.run(backend.ports.finish(replace(execution, status="SUCCEEDED")))
    for name, seq in backend.ports.outstanding()[1]:
        if name != "woken":
            backend.ports.advanced(name, seq)
    backend.run(backend.ports.send([(replace(STEP, execution_id="waiting"), 9000.0)]))
    backend.run(backend.ports.send([(replace(STEP, execution_id="parked"), None)]))
    backend.ports.refuse(backend.messages[-1].seq)
    backend.run(backend.ports.send([]))  # all of the above is written
    assert backend.run(backend.ports.idle(10)) == (["idle", "parked"], "")
    assert backend.run(backend.ports.idle(1)) == (["idle"], "idle")
    assert backend.run(backend.ports.idle(10, "idle")) == (["parked"], "")
