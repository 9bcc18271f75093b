"""What is asked and answered of limits and gates, as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stepfast.http.models import Asked, Shown, Time


class NumbersView(Shown):
    rate: float | None = Field(description="attempts that may begin in `per` seconds")
    per: float | None
    burst: int | None
    concurrency: int | None = Field(description="attempts that may run at once")


class LimitView(Shown):
    name: str
    declared: NumbersView = Field(description="the numbers of the code")
    numbers: NumbersView = Field(description="the numbers that hold now")
    set_by: str | None = Field(
        description="who has set them; null where nobody has, empty where the caller has no name"
    )
    shared: bool = Field(description="whether the numbers are for all keys together")
    shards: int
    gated: bool = Field(description="whether it has a gate")


class LimitList(Shown):
    limits: list[LimitView]


class WaitingStepView(Shown):
    execution_id: str
    command: str
    since: Time
    priority: int


class KeyView(Shown):
    key: str
    shard: int
    taken: int = Field(description="slots that are taken")
    next_at: Time | None = Field(description="the next moment that the rate leaves free; null where that is now")
    waiting: int = Field(description="steps that wait for a slot, 100 at most")
    waiting_since: Time | None = Field(description="when the first of them began to wait")
    first: list[WaitingStepView] = Field(description="those that are served first, 10 at most")


class LimitDetail(LimitView):
    keys: list[KeyView] = Field(description="the keys in use, in pages")
    next: str | None


class LimitWaitView(Shown):
    command: str
    waits_for: Literal["gate", "slot", "rate"]
    limit: str
    key: str
    since: Time | None = Field(description="when it began to wait; null where it is not in a line")
    before: int | None = Field(description="how many are before it in the line; null where it is not in a line")
    next_at: Time | None = Field(
        description="of a closed gate, when the next probe may begin; of a rate, when the step begins at the latest"
    )
    gate: Literal["OPEN", "CLOSED", "RAMPING"] | None = Field(description="the status of the gate that it waits for")
    gate_since: Time | None = Field(description="since when the gate has this status")
    cause: str = Field(description="why the gate has closed")
    by: str = Field(description="who has closed or opened the gate by hand")
    why: str = Field(description="what whoever did so has said")
    probe: bool = Field(description="whether this step is the next probe of the gate")


class LimitWaitList(Shown):
    waits: list[LimitWaitView] = Field(
        description="the steps that wait at a gate or for a limit, 100 at most, in the order in which the code asks "
        "for them"
    )


class NumbersRequest(Asked):
    """What is left out stays as it is."""

    rate: float | None = Field(None, gt=0, le=1e9)
    per: float | None = Field(None, gt=0, le=1e9, description="seconds")
    burst: int | None = Field(None, ge=1, le=1_000_000)
    concurrency: int | None = Field(None, ge=1, le=1_000_000)


class ProbingStepView(Shown):
    execution_id: str
    command: str


class GateView(Shown):
    name: str
    key: str
    status: Literal["OPEN", "CLOSED", "RAMPING"]
    since: Time | None
    cause: str = Field(description="why it closed; empty where that was by hand")
    by: str = Field(description="who closed or opened it by hand")
    why: str
    next_probe: Time | None
    probe: ProbingStepView | None = Field(description="the step that is the next probe of a closed gate, or is it now")
    rate: float | None = Field(description="attempts a second that go through while it is RAMPING")
    waiting: int = Field(description="steps that wait, 1,000 at most")
    first: list[WaitingStepView] = Field(description="those that come first, 10 at most")
    failed: int = Field(description="FAILED executions that it will resume")


class GateList(Shown):
    gates: list[GateView] = Field(description="those that are closed, opening, or have met failures")
    next: str | None


class CloseGateRequest(Asked):
    key: str = Field("", max_length=200)
    until: str | None = Field(None, max_length=64, description="ISO 8601; left out: until somebody opens it")
    why: str = Field("", max_length=500)


class OpenGateRequest(Asked):
    key: str = Field("", max_length=200)
    why: str = Field("", max_length=500)
