"""Limits and gates: what is taken, who waits, and changes by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from stepfast.engine import caller
from stepfast.engine.gate_operations import GateReport
from stepfast.engine.limit_operations import KeyReport, LimitReport, WaitingStep
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.limit_models import (
    CloseGateRequest,
    GateList,
    GateView,
    KeyView,
    LimitDetail,
    LimitList,
    LimitView,
    NumbersRequest,
    NumbersView,
    OpenGateRequest,
    ProbingStepView,
    WaitingStepView,
)
from stepfast.http.models import NAME
from stepfast.http.moments import moment
from stepfast.http.resolver import Resolver
from stepfast.language.limits import Numbers

Name = Annotated[str, Path(pattern=NAME, description="the name of the limit")]
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=1024, description="a page's `next`")]

NO_NAME = {404: "no step has a limit of this name, or that limit has no gate"}


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_limits(app, engine)
    _add_changes(app, engine)
    _add_gates(app, engine)


def _add_limits(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/limits",
        summary="The limits of steps, with their numbers",
        operation_id="listLimits",
        tags=["limits"],
        responses=answers((200, "the limits, by name", LimitList)),
    )
    @needs("read")
    def list_limits() -> Response[str]:
        reports = engine.call(engine.operations.limits.list())
        return reply(200, LimitList(limits=[LimitView(**_fields(report)) for report in reports]))

    @app.get(
        "/v1/limits/<name>",
        summary="A limit and its keys in use: what is taken, and who waits",
        operation_id="getLimit",
        tags=["limits"],
        responses=answers((200, "the limit", LimitDetail), problems_of=NO_NAME),
    )
    @needs("read")
    def show_limit(name: Name, limit: Limit = 50, cursor: Cursor = None) -> Response[str]:
        report = engine.call(engine.operations.limits.describe(name))
        keys, position = engine.call(engine.operations.limits.keys(name, limit, cursor or ""))
        shown = [_key(key) for key in keys]
        return reply(200, LimitDetail(**_fields(report), keys=shown, next=position or None))


def _add_changes(app: Resolver, engine: ApiEngine) -> None:
    @app.put(
        "/v1/limits/<name>",
        summary="Change the numbers of a limit while steps run",
        description="They hold in every process within seconds, until they are deleted. They win over code.",
        operation_id="setLimit",
        tags=["limits"],
        responses=answers((200, "the limit", LimitView), problems_of=NO_NAME),
    )
    @needs("operate")
    def set_limit(name: Name, body: Annotated[NumbersRequest, Body()]) -> Response[str]:
        changed = engine.operations.limits.set(
            name, rate=body.rate, per=body.per, burst=body.burst, concurrency=body.concurrency
        )
        return reply(200, LimitView(**_fields(engine.call(changed))))

    @app.delete(
        "/v1/limits/<name>",
        summary="Go back to the numbers of the code",
        operation_id="resetLimit",
        tags=["limits"],
        responses=answers((200, "the limit", LimitView), problems_of=NO_NAME),
    )
    @needs("operate")
    def reset_limit(name: Name) -> Response[str]:
        return reply(200, LimitView(**_fields(engine.call(engine.operations.limits.reset(name)))))


def _add_gates(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/gates",
        summary="The gates that are closed, opening, or have met failures",
        operation_id="listGates",
        tags=["limits"],
        responses=answers((200, "the gates", GateList), problems_of=NO_NAME),
    )
    @needs("read")
    def list_gates(
        name: Annotated[str | None, Query(pattern=NAME, description="of this limit alone, in pages")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response[str]:
        reports, position = engine.call(engine.operations.gates.gates(name, limit, cursor or ""))
        return reply(200, GateList(gates=[_gate(report) for report in reports], next=position or None))

    @app.post(
        "/v1/gates/<name>/close",
        summary="Close a gate: its steps wait, and no attempt begins",
        operation_id="closeGate",
        tags=["limits"],
        responses=answers((200, "the gate", GateView), problems_of=NO_NAME),
    )
    @needs("operate")
    def close_gate(name: Name, body: Annotated[CloseGateRequest, Body()]) -> Response[str]:
        until, by = moment("until", body.until), caller.who() or ""
        closed = engine.operations.gates.close_gate(name, body.key, until=until, by=by, why=body.why)
        return reply(200, _gate(engine.call(closed)))

    @app.post(
        "/v1/gates/<name>/open",
        summary="Open a gate: its steps go on at a growing rate",
        operation_id="openGate",
        tags=["limits"],
        responses=answers((200, "the gate", GateView), problems_of=NO_NAME),
    )
    @needs("operate")
    def open_gate(name: Name, body: Annotated[OpenGateRequest, Body()]) -> Response[str]:
        opened = engine.operations.gates.open_gate(name, body.key, by=caller.who() or "", why=body.why)
        return reply(200, _gate(engine.call(opened)))


def _numbers(numbers: Numbers) -> NumbersView:
    rate = numbers.rate
    return NumbersView(
        rate=rate.count if rate else None,
        per=rate.per if rate else None,
        burst=rate.burst if rate else None,
        concurrency=numbers.concurrency,
    )


def _fields(report: LimitReport) -> dict[str, object]:
    limit = report.limit
    return {
        "name": limit.name,
        "declared": _numbers(report.declared),
        "numbers": _numbers(report.numbers),
        "set_by": report.set_by,
        "shared": limit.shared,
        "shards": limit.shards,
        "gated": limit.gate is not None,
    }


def _key(key: KeyReport) -> KeyView:
    return KeyView(
        key=key.key,
        shard=key.shard,
        taken=key.taken,
        next_at=views.time_or_none(key.moment),
        waiting=key.waiting,
        waiting_since=views.time_or_none(key.since),
        first=_waiting(key.first),
    )


def _waiting(steps: Sequence[WaitingStep]) -> list[WaitingStepView]:
    return [
        WaitingStepView(
            execution_id=step.execution_id,
            command=step.command_id,
            since=views.time(step.since),
            priority=step.priority,
        )
        for step in steps
    ]


def _gate(report: GateReport) -> GateView:
    probe = report.probe
    shown: dict[str, Any] = {
        "probe": probe and ProbingStepView(execution_id=probe.execution_id, command=probe.command_id),
        "since": views.time_or_none(report.since),
        "next_probe": views.time_or_none(report.next_probe),
        "first": _waiting(report.first),
    }
    return GateView(**asdict(report) | shown)
