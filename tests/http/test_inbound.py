"""`POST /v1/inbound/NAME`: a signed webhook starts its workflow once; anything else learns nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from stepfast import workflow
from stepfast.http.api import Api, build
from stepfast.http.auth import Authenticator
from stepfast.http.inbound import MAX_INBOUND_BYTES, InboundWebhook, execution_id_for
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.webhook_signing import headers_for
from tests.http.serving import served

KEYS, OTHER = (b"k" * 24,), (b"o" * 24,)


class Paid(BaseModel):
    type: str
    data: dict[str, Any]


@workflow("ship")
async def ship(event: Paid) -> str:
    return event.type


SHOP = InboundWebhook("shop", "ship", "standard", 300, lambda: KEYS)
BODY = json.dumps({"type": "order.paid", "data": {"order": 7}}).encode()


class Site:
    def __init__(self, handler: Api, url: str, runtime: Runtime) -> None:
        self.handler, self.runtime = handler, runtime
        self.http = httpx.Client(base_url=url)

    def post(self, headers: Mapping[str, str], body: bytes = BODY, name: str = "shop") -> httpx.Response:
        return self.http.post(f"/v1/inbound/{name}", content=body, headers=dict(headers))

    def executions(self) -> list[str]:
        listed = self.http.get("/v1/executions", headers={"x-api-key": "key"})
        return [execution["execution_id"] for execution in listed.json()["executions"]]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    registry = Registry([ship])
    with Runtime(registry, tmp_path / "test.db", durability="process") as runtime:
        handler = build(runtime.operations, registry, runtime.call, Authenticator(["key"]), inbound=[SHOP])
        with served(handler) as url:
            made = Site(handler, url, runtime)
            yield made
            made.http.close()


def signed(event_id: str = "msg_1", body: bytes = BODY, age: float = 0.0, keys: Any = KEYS) -> dict[str, str]:
    return headers_for(keys, event_id, int(time.time() - age), body)


def test_a_signed_webhook_starts_its_workflow_and_the_same_event_starts_nothing_more(site: Site) -> None:
    first = site.post(signed())
    assert (first.status_code, first.json()) == (202, {"execution_id": "shop.msg_1", "created": True})
    for age in (0, 5, 250):
        again = site.post(signed(age=age))
        assert (again.status_code, again.json()) == (200, {"execution_id": "shop.msg_1", "created": False})
    assert site.post(signed("msg_2")).status_code == 202
    assert sorted(site.executions()) == ["shop.msg_1", "shop.msg_2"]
    shown = site.http.get("/v1/executions/shop.msg_1", headers={"x-api-key": "key"}).json()
    assert (shown["workflow"], shown["labels"]) == ("ship", {"inbound": "shop"})
    assert shown["input"] == {"type": "order.paid", "data": {"order": 7}}


# Made when the test runs: what is signed earlier would be refused for its age alone.
ATTACKS: dict[str, Callable[[], tuple[dict[str, str], bytes, str]]] = {
    "unsigned": lambda: ({}, BODY, "shop"),
    "forged": lambda: (signed(keys=OTHER), BODY, "shop"),
    "altered": lambda: (signed(), BODY.replace(b"7", b"8"), "shop"),
    "expired": lambda: (signed(age=1000), BODY, "shop"),
    "from the future": lambda: (signed(age=-1000), BODY, "shop"),
    "replayed as another event": lambda: (signed() | {"webhook-id": "msg_9"}, BODY, "shop"),
    "made fresh": lambda: (signed(age=10000) | {"webhook-timestamp": str(int(time.time()))}, BODY, "shop"),
    "for an unknown name": lambda: (signed(), BODY, "other"),
    "for no name": lambda: (signed(), BODY, ""),
    "for a name with a path": lambda: (signed(), BODY, "shop/more"),
    "with a key of the API": lambda: ({"x-api-key": "key"}, BODY, "shop"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_gets_the_same_answer_and_starts_nothing(site: Site, attack: str) -> None:
    headers, body, name = ATTACKS[attack]()
    answer = site.post(headers, body, name)
    assert answer.status_code == 401
    assert answer.json() == site.post({}).json()
    assert site.executions() == []


def test_only_posts_are_taken_and_only_of_a_size(site: Site) -> None:
    assert site.http.get("/v1/inbound/shop").status_code == 405
    assert site.post({}, b"x" * (MAX_INBOUND_BYTES + 1)).status_code == 413


def test_an_input_that_does_not_fit_is_explained_to_who_has_signed_it(site: Site) -> None:
    wrong = b'{"type": 7}'
    refused = site.post(signed(body=wrong), wrong)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:stepfast:problem:invalid-request")
    for body in (b"[1]", b"nothing"):
        assert site.post(signed(body=body), body).status_code in (400, 422)
    assert site.executions() == []


def test_the_same_event_with_another_body_is_a_conflict(site: Site) -> None:
    site.post(signed())
    other = BODY.replace(b"7", b"8")
    assert site.post(signed(body=other), other).status_code == 409


def test_the_bytes_are_checked_as_they_came_in_base64_as_well(site: Site) -> None:
    event = {
        "rawPath": "/v1/inbound/shop",
        "headers": signed(),
        "requestContext": {"http": {"method": "POST"}},
        "body": base64.b64encode(BODY).decode(),
        "isBase64Encoded": True,
    }
    assert site.handler(event, None)["statusCode"] == 202
    text = json.dumps({"type": "\N{SNOWMAN}", "data": {}}, ensure_ascii=False).encode()
    plain = event | {"headers": signed("msg_2", text), "body": text.decode(), "isBase64Encoded": False}
    assert site.handler(plain, None)["statusCode"] == 202


def test_ids_of_events_become_ids_of_executions_one_to_one() -> None:
    long = "x" * 61
    assert execution_id_for("shop", "evt_1") == "shop.evt_1"
    assert execution_id_for("shop", long) == f"shop.{hashlib.sha256(long.encode()).hexdigest()}"
    assert execution_id_for("s" * 60, "a/b")[60] == "."
    assert len(execution_id_for("s" * 60, "a/b")) <= 128
