"""What operators see and change of gates, in both homes."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import Gate, Limit, step, workflow
from stepfast.engine.gate_operations import GateOperations
from stepfast.errors import InvalidRequest, UnknownName
from stepfast.language.registry import Registry

crm = Limit("crm", gate=Gate(probe=30), key=lambda customer: customer)


@step(limits=[crm])
async def enter_customer(customer: str) -> str:
    return customer


@workflow("crm-entry")
async def crm_entry(customer: str) -> str:
    return await enter_customer(customer)


def operations(backend: Any) -> GateOperations:
    return GateOperations(backend.store, backend.clock, Registry([crm_entry]))


def test_a_gate_is_closed_and_opened_by_hand_for_its_key_with_who_and_why(backend: Any) -> None:
    gates = operations(backend)
    assert backend.run(gates.gates()) == ([], "")
    report = backend.run(gates.close_gate("crm", "a", by="ada", why="they upgrade"))
    assert (report.status, report.key, report.by, report.why, report.next_probe) == (
        "CLOSED",
        "a",
        "ada",
        "they upgrade",
        None,
    )
    assert backend.run(gates.gates("crm"))[0] == [report]
    assert backend.run(gates.gate("crm", "b")).status == "OPEN"
    opened = backend.run(gates.open_gate("crm", "a", by="bob"))
    assert (opened.status, opened.by, opened.rate) == ("RAMPING", "bob", 2 / 30)


def test_a_time_that_has_passed_and_a_limit_without_a_gate_are_refused(backend: Any) -> None:
    gates = operations(backend)
    with pytest.raises(InvalidRequest, match="a time to come"):
        backend.run(gates.close_gate("crm", until=1.0))
    with pytest.raises(UnknownName, match="no limit with a gate is named 'crn'; there are: crm"):
        backend.run(gates.open_gate("crn"))
