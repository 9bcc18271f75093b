"""What starts executions of a paused workflow by itself: schedules in both homes, and webhooks of others embedded.

tests/functions/test_inbound.py has the webhooks of a deployment, test_paused_workflows.py children.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from stepfast import signal, step, workflow
from stepfast.deployment.project import Project
from stepfast.deployment.schedules import ScheduledStart
from stepfast.http.api import build
from stepfast.http.inbound import InboundWebhook
from stepfast.language.registry import Registry
from stepfast.local.schedules import EmbeddedSchedules
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
from stepfast.webhook_signing import headers_for
from tests.contract.asked import Asked
from tests.http.serving import event

BEGINS = datetime(2030, 1, 1, tzinfo=UTC)
HOURLY = "cron(0 * * * ? *)"
KEYS = (b"k" * 24,)
SHOP = InboundWebhook("shop", "ship", "standard", 300, lambda: KEYS)
RAN: list[str] = []
Overlap = Any


@step
def send(what: str) -> str:
    RAN.append(what)
    return what


@workflow("import")
async def importing(what: str) -> str:
    await send(what)
    return await signal("done", str)


@workflow("ship")
async def ship(event: dict[str, Any]) -> str:
    return await send(event["order"])


WORKFLOWS = (importing, ship)


class Sources(Asked):
    """A kit whose schedules start what is due. due: has them do so in the home where nothing else does."""

    def __init__(self, env: Any, ask: Any, due: Callable[[], object] | None = None) -> None:
        super().__init__(env, ask)
        self._due = due

    def hours(self, number: int) -> None:
        for _ in range(number):
            self.env.advance(timedelta(hours=1))
            if self._due is not None:
                self._due()
            self.env.advance(timedelta(seconds=10))

    def statuses(self) -> dict[str, str]:
        listed = self("GET", "/v1/executions?workflow=import&limit=50")["executions"]
        return {each["execution_id"]: each["status"] for each in reversed(listed)}


def _embedded(overlap: Overlap) -> Iterator[Sources]:
    with Environment(*WORKFLOWS, start=BEGINS) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            path, _, query = path.partition("?")
            answer = build(env._stage.operations, Registry(WORKFLOWS), finished)(
                event(method, path, body, query=query), None
            )
            return answer["statusCode"], json.loads(answer["body"])

        made = EmbeddedSchedules([scheduled(overlap)], env._stage.operations, env._stage._clock)
        yield Sources(env, ask, lambda: finished(made.start_due()))


def _cloud(overlap: Overlap) -> Iterator[Sources]:
    with MotoCloud(*WORKFLOWS, project=Project(schedules={"each": scheduled(overlap)}), start=BEGINS) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            path, _, query = path.partition("?")
            answer = env.request(method, path, body, query=dict(parse_qsl(query)))
            return answer.status, json.loads(answer.body)

        yield Sources(env, ask)


def scheduled(overlap: Overlap) -> ScheduledStart:
    return ScheduledStart("each", "import", HOURLY, "orders", overlap=overlap)


def moment(hour: int) -> str:
    return f"each-2030-01-01T{hour:02}0000Z"


@pytest.mark.parametrize(
    ("home", "overlap", "then"),
    [
        (_embedded, "allow", ["PAUSED", "PAUSED"]),
        (_embedded, "skip", ["PAUSED"]),
        (_embedded, "wait", ["PAUSED"]),
        (_embedded, "replace", ["CANCELLED", "PAUSED"]),
        (_cloud, "skip", ["PAUSED"]),
        (_cloud, "replace", ["CANCELLED", "PAUSED"]),
    ],
)
def test_a_schedule_starts_what_is_held_and_its_policy_counts_that_as_running(
    home: Any, overlap: Overlap, then: list[str]
) -> None:
    RAN.clear()
    for api in home(overlap):
        api("POST", "/v1/workflows/import/pause", {"why": "an outage"})
        api.hours(2)
        assert api.statuses() == {moment(hour): status for hour, status in enumerate(then, 1)}
        assert RAN == []
        api("POST", "/v1/workflows/import/unpause")
        api.env.advance(timedelta(seconds=30))
        assert then.count("PAUSED") == len(RAN)


def test_a_webhook_is_taken_once_while_its_workflow_is_paused_and_its_execution_is_held() -> None:
    RAN.clear()
    body = json.dumps({"order": "7"}).encode()
    for api in _embedded("allow"):
        operations, now = api.env._stage.operations, api.env._stage.time
        handle = build(operations, Registry(WORKFLOWS), finished, inbound=[SHOP], now=now)

        def post(handle: Any = handle, now: Callable[[], float] = now) -> tuple[int, Any]:
            sent = event("POST", "/v1/inbound/shop")
            sent["headers"] |= {"content-type": "application/json", **headers_for(KEYS, "msg_1", int(now()), body)}
            answer = handle({**sent, "body": body.decode()}, None)
            return answer["statusCode"], json.loads(answer["body"])

        api("POST", "/v1/workflows/ship/pause", {})
        assert post() == (202, {"execution_id": "shop.msg_1", "created": True})
        api.env.advance(timedelta(minutes=1))
        assert post() == (200, {"execution_id": "shop.msg_1", "created": False})
        assert (api("GET", "/v1/executions/shop.msg_1")["status"], RAN) == ("PAUSED", [])
        api("POST", "/v1/workflows/ship/unpause")
        api.env.advance(timedelta(minutes=1))
        assert RAN == ["7"]
