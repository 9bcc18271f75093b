"""`stepfast show` says what a step waits for that has not begun."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast.cli.timeline import _limit_wait, _waited

GATE: dict[str, Any] = {
    "command": "render",
    "waits_for": "gate",
    "limit": "pdf",
    "key": "acme",
    "since": "2027-01-31T06:00:10.000000Z",
    "before": 3,
    "next_at": "2027-01-31T06:00:30.000000Z",
    "gate": "CLOSED",
    "gate_since": "2027-01-31T06:00:00.000000Z",
    "cause": "ConnectionError in render",
    "by": "",
    "why": "",
    "probe": False,
}
DAY = "2027-01-31 "
AT_GATE = f"waits for gate 'pdf' of key 'acme' since {DAY}06:00:10 UTC"
CLOSED = f"closed at {DAY}06:00:00 UTC"


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({}, f"{AT_GATE}, 3 before it; {CLOSED} (ConnectionError in render), next probe at {DAY}06:00:30 UTC"),
        (
            {"key": "", "since": None, "before": None, "probe": True},
            f"waits for gate 'pdf'; {CLOSED} (ConnectionError in render), this step is the next probe at {DAY}06:00:30 "
            "UTC",
        ),
        (
            {"before": 0, "by": "ops", "why": "maintenance", "next_at": None},
            f"{AT_GATE}; {CLOSED} by ops (maintenance), until somebody opens it",
        ),
        (
            {"gate": "RAMPING", "before": 0, "by": "ops"},
            f"{AT_GATE}; it opens since {DAY}06:00:00 UTC by ops (ConnectionError in render)",
        ),
        (
            {"waits_for": "slot", "gate": None},
            f"waits for a slot of limit 'pdf' of key 'acme' since {DAY}06:00:10 UTC, 3 before it",
        ),
        (
            {"waits_for": "rate", "gate": None, "key": ""},
            f"waits for the rate of limit 'pdf'; begins at {DAY}06:00:30 UTC at the latest",
        ),
    ],
)
def test_the_note_names_the_limit_since_when_and_what_ends_the_wait(part: dict[str, Any], says: str) -> None:
    assert _limit_wait(GATE | part) == says


HAD_CLOSED = {
    "waited_for": "gate",
    "limit": "pdf",
    "key": "acme",
    "since_at": "2027-01-31T06:00:05Z",
    "until_at": "2027-01-31T06:32:05Z",
    "closed_at": "2027-01-31T06:00:00Z",
    "opened_at": "2027-01-31T06:30:00Z",
    "cause": "by hand",
    "by": "ada",
    "why": "maintenance",
}


@pytest.mark.parametrize(
    ("without", "part", "says"),
    [
        (
            (),
            {},
            "waited 32 min for gate 'pdf' of key 'acme'; "
            f"closed from {DAY}06:00:00 to {DAY}06:30:00 UTC by ada (maintenance)",
        ),
        (
            ("opened_at", "by", "why"),
            {"cause": "HTTPError in render", "key": ""},
            f"waited 32 min for gate 'pdf'; closed at {DAY}06:00:00 UTC (HTTPError in render), and was its probe",
        ),
        (("closed_at",), {}, "waited 32 min for gate 'pdf' of key 'acme'"),
        ((), {"waited_for": "slot"}, "waited 32 min for a slot of limit 'pdf' of key 'acme'"),
        ((), {"waited_for": "rate", "key": ""}, "waited 32 min for the rate of limit 'pdf'"),
    ],
)
def test_a_note_says_what_a_step_has_waited_for(without: tuple[str, ...], part: dict[str, str], says: str) -> None:
    assert _waited({name: value for name, value in (HAD_CLOSED | part).items() if name not in without}) == says
