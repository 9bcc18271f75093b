"""A failure that is written after the gate of its step has opened is brought back, whoever writes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast import Gate, Limit, step, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.gates import FailedBehind, GateState, closed_by_hand, gate_id, state_in, state_text
from stepfast.engine.messages import BY_GATE
from stepfast.engine.operations import Operations
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Commit, Delete, End
from stepfast.language.registry import Registry
from stepfast.model import Failure, Record

mail = Limit("mail", gate=Gate(window=60, probe=30))
ID = gate_id("mail", "")
BEHIND = FailedBehind("one", 0, "send", 950.0)


@step(limits=[mail])
async def send(to: str) -> None: ...


@workflow("sending")
async def sending(to: str) -> None:
    await send(to)


@pytest.fixture
def advancer(backend: Any) -> Advancer:
    """An execution whose step has failed, and whose end nobody has written."""
    made = Advancer(backend.store, backend.queue, backend.clock, Registry([sending]))
    backend.run(Operations(backend.store, backend.clock, Registry([sending]), made).start("sending", "ada", "one"))
    error = Failure("ConnectionError", "down", "send", None)
    record = Record("send", "step", "send", "FAILED", 0, attempt=1, input='{"to": "ada"}', error=error, ended_at=950.0)
    assert backend.run(backend.store.commit("one", Commit(record, wake=True)))
    return made


def put(backend: Any, state: GateState) -> None:
    item = backend.run(backend.store.limits.read(ID))
    changed = replace(item, gate=state_text(state), moment=state.idle_at(mail.gate or Gate()), changed_at=1000.0)
    assert backend.run(backend.store.limits.write(changed, item.version))


def by_gate(backend: Any) -> list[Any]:
    return [held for held in backend.messages if held.delivery.message.command_id == BY_GATE]


@pytest.mark.parametrize("late", [False, True])
def test_the_end_that_an_advance_writes_long_after_the_ramp_has_begun_is_redriven(
    backend: Any, advancer: Advancer, late: bool
) -> None:
    put(backend, GateState("RAMPING", 960.0, failed=(replace(BEHIND, late=late),)))
    backend.run(advancer.advance("one"))
    assert backend.run(backend.store.read("one")).status == "FAILED"
    (redrive,) = by_gate(backend)
    backend.clock.time = redrive.due
    assert (
        backend.run(ParkHandler(backend.store, backend.clock, Registry([sending])).handle(redrive.delivery)) == Delete()
    )
    resumed = backend.run(backend.store.read("one"))
    assert (resumed.status, resumed.generation) == ("RUNNING", 1)


def test_an_end_is_redriven_if_the_ramp_begins_while_it_is_written(
    backend: Any, advancer: Advancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(backend, GateState("CLOSED", 955.0, failed=(BEHIND,), next_probe=990.0))
    real = backend.store.finish

    async def finish(end: End) -> bool:
        """The ramp has found the execution RUNNING just before its end is written."""
        item = await backend.store.limits.read(ID)
        ramp = GateState("RAMPING", 1000.0, failed=(replace(BEHIND, late=True),))
        assert await backend.store.limits.write(replace(item, gate=state_text(ramp), moment=9e9), item.version)
        return bool(await real(end))

    monkeypatch.setattr(backend.store, "finish", finish)
    backend.run(advancer.advance("one"))
    assert len(by_gate(backend)) == 1


@pytest.mark.parametrize(
    "state",
    [
        GateState(),
        GateState("CLOSED", 955.0, failed=(BEHIND,), next_probe=990.0),
        GateState("RAMPING", 940.0, failed=(BEHIND,)),
        GateState("RAMPING", 960.0, failed=(replace(BEHIND, generation=1),)),
    ],
)
def test_an_end_is_left_alone_where_no_ramp_has_to_bring_it_back(
    backend: Any, advancer: Advancer, state: GateState
) -> None:
    put(backend, state)
    backend.run(advancer.advance("one"))
    assert backend.run(backend.store.read("one")).status == "FAILED"
    assert by_gate(backend) == []


def test_a_gate_remembers_for_a_day_what_has_not_ended_yet(backend: Any, advancer: Advancer) -> None:
    state = GateState(since=960.0, failed=(replace(BEHIND, late=True),))
    put(backend, state)
    backend.clock.time = 960.0 + 23 * 3600
    backend.run(advancer.advance("one"))
    assert len(by_gate(backend)) == 1
    assert state.idle_at(mail.gate or Gate()) > backend.clock.time


def test_the_next_ramp_looks_again_at_what_had_not_ended_in_the_ramp_before(backend: Any) -> None:
    opened = GateState(since=960.0, failed=(replace(BEHIND, late=True),))
    put(backend, closed_by_hand(opened, 1000.0, None, "ada", "again"))
    assert state_in(backend.run(backend.store.limits.read(ID)).gate).failed == (BEHIND,)
