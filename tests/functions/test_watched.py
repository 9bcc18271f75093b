"""`GET /v1/executions/{id}/events` of a deployment waits within the request, for a change or for its time."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from stepfast import signal, workflow
from tests.functions.conftest import Aws

EVENTS = "/v1/executions/one/events"


@workflow("watched")
async def watched() -> int:
    return await signal("go", int)


class Pauses:
    """Stands in for time.sleep: notes how long the function would sleep, and acts in the pause of that number."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.acts: dict[int, Callable[[], Any]] = {}

    def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.acts.get(len(self.seconds), lambda: None)()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    made = Pauses()
    monkeypatch.setattr("stepfast.functions.api.time", SimpleNamespace(sleep=made.sleep))
    return made


@pytest.fixture
def aws(deploy: Callable[..., Aws], pauses: Pauses) -> Aws:
    made = deploy(watched)
    made.start("watched")
    return made


def asked(aws: Aws, after: str, wait: int) -> Any:
    status, body = aws.ask("GET", EVENTS, query=urlencode({"after": after, "wait": wait}))
    assert status == 200, body
    return body


def test_a_long_poll_of_a_deployment_is_answered_at_the_change(aws: Aws, pauses: Pauses) -> None:
    first = aws.ask("GET", EVENTS)[1]
    pauses.acts[3] = lambda: aws.ask("POST", "/v1/executions/one/terminate", {})
    news = asked(aws, first["after"], 20)
    assert (news["events"][-1]["type"], news["events"][-1]["status"]) == ("execution", "CANCELLED")
    assert news["ended"]
    assert len(pauses.seconds) == 3
    assert asked(aws, news["after"], 20) == {"events": [], "after": news["after"], "ended": True}
    assert len(pauses.seconds) == 3, "an execution that has ended is not waited for"


def test_a_long_poll_without_news_is_answered_when_its_time_is_over(aws: Aws, pauses: Pauses) -> None:
    first = aws.ask("GET", EVENTS)[1]
    assert pauses.seconds == [], "without a wait it is answered at once"
    assert asked(aws, first["after"], 20) == {"events": [], "after": first["after"], "ended": False}
    assert sum(pauses.seconds) == pytest.approx(20, abs=0.1)
    assert len(pauses.seconds) <= 10  # each is a read of the table
