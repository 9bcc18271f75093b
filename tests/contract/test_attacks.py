"""What nobody gets in by, in both homes by the same test: forged and replayed webhooks, tokens of a sign-on, links."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from stepfast import workflow
from stepfast.cli.invoke import deployed
from stepfast.deployment.event_settings import inbound_settings, inbound_text
from stepfast.http.api import build
from stepfast.http.inbound import InboundWebhook
from stepfast.http.signed_on import SignedOn
from stepfast.language.registry import Registry
from stepfast.link_tokens import PATH
from stepfast.local.runtime import Runtime
from stepfast.sign_on import SignOn, SignOnSettings
from stepfast.webhook_signing import Scheme, headers_for
from tests.contract.visited import HOMES, Visited
from tests.functions.conftest import Aws, no_account, shared_clients  # noqa: F401 - a fixture
from tests.functions.sources import http
from tests.http.forging import ATTACKS
from tests.http.issuing import TestIssuer, issuing, table
from tests.http.serving import event

KEY, OTHER = b"k" * 24, b"o" * 24
BODY = json.dumps({"id": "evt_stripe", "order": 7})
SCHEMES: dict[str, Scheme] = {"shop": "standard", "pay": "stripe", "code": "github"}


def secret_of(name: str) -> str:
    return "whsec_" + base64.b64encode(KEY).decode() if name == "shop" else f"secret-of-{name}-which-is-long"


@workflow("attacked")
async def attacked(order: Any = None) -> str:
    return "done"


class Door:
    """A home: its API behind whatever checks its callers. now: its time."""

    def send(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, Any]:
        raise NotImplementedError

    def now(self) -> float:
        raise NotImplementedError

    def executions(self) -> list[str]:
        """Of the store itself, whoever may ask."""
        raise NotImplementedError

    def webhook(self, headers: dict[str, str], body: str = BODY, name: str = "shop") -> tuple[int, Any]:
        return self.send("POST", f"/v1/inbound/{name}", headers, body)


class FileDoor(Door):
    def __init__(self, path: Path, issuer: TestIssuer) -> None:
        registry = Registry([attacked])
        self.runtime = Runtime(registry, path, workers=1, durability="process")
        settings = SignOnSettings.of(table(issuer.address))
        inbound = [
            InboundWebhook(name, "attacked", scheme, 300, lambda name=name: (_key(name),))  # type: ignore[misc]
            for name, scheme in SCHEMES.items()
        ]
        self.api = build(
            self.runtime.operations, registry, self.runtime.call, SignedOn(SignOn(settings), None), inbound=inbound
        )

    def send(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, Any]:
        answer = self.api(event(method, path, headers=headers, text=body), None)
        return answer["statusCode"], json.loads(answer["body"])

    def now(self) -> float:
        return time.time()

    def executions(self) -> list[str]:
        from stepfast.engine.ports import Query

        return [each.execution_id for each in self.runtime.call(self.runtime.operations.page(Query())).executions]


class FunctionsDoor(Door):
    """The authorizer and the API function, as API Gateway calls them: webhooks and links pass without the first."""

    def __init__(self, issuer: TestIssuer) -> None:
        clients, registry = shared_clients(), Registry([attacked])
        self.aws = Aws(registry, clients, deployed(clients, registry))
        for name in SCHEMES:
            clients.secretsmanager.create_secret(Name=f"attacked/{name}", SecretString=secret_of(name))
        said = {
            name: {"workflow": "attacked", "aws_secret": f"attacked/{name}", "scheme": scheme}
            for name, scheme in SCHEMES.items()
        }
        self.api = self.aws.build("api", auth="jwt", inbound=inbound_text(inbound_settings("inbound", said)))
        self.authorizer = self.aws.build("authorizer", jwt=SignOnSettings.of(table(issuer.address)).as_text())

    def send(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, Any]:
        asked = http(method, path)
        asked["headers"] |= headers
        if body is not None:
            asked["headers"]["content-type"] = "application/json"
            asked["body"] = body
        if not path.startswith(("/v1/inbound/", PATH)):
            let_in = self.authorizer({"version": "2.0", "type": "REQUEST", "headers": headers})
            if not let_in["isAuthorized"]:
                return 401, None  # API Gateway's own answer, which has not called the API
            asked["requestContext"]["authorizer"] = {"lambda": let_in["context"]}
        answer = self.api(asked)
        return answer["statusCode"], json.loads(answer["body"])

    def now(self) -> float:
        return self.aws.clock.now()

    def executions(self) -> list[str]:
        return [each["execution_id"] for each in self.aws.ask("GET", "/v1/executions")[1]["executions"]]


def _key(name: str) -> bytes:
    return KEY if name == "shop" else secret_of(name).encode()


@contextmanager
def _file_door(folder: Path, issuer: TestIssuer) -> Iterator[Door]:
    door = FileDoor(folder / "attacked.db", issuer)
    yield door
    door.runtime.close()


@contextmanager
def _functions_door(folder: Path, issuer: TestIssuer) -> Iterator[Door]:
    with mock_aws():
        door = FunctionsDoor(issuer)
        yield door
        door.aws.call.close()


@pytest.fixture(scope="module")
def issuer() -> Iterator[TestIssuer]:
    with issuing() as running:
        yield running


@pytest.fixture(params=[_file_door, _functions_door], ids=["sqlite", "dynamodb"])
def door(request: pytest.FixtureRequest, no_account: None, issuer: TestIssuer, tmp_path: Path) -> Iterator[Door]:  # noqa: F811
    assert os.environ["AWS_CONFIG_FILE"] == "/dev/null"
    with request.param(tmp_path, issuer) as made:
        yield made


# -- webhooks -----------------------------------------------------------------------------------------------------


def signed(door: Door, id: str = "msg_1", age: float = 0.0, key: bytes = KEY, body: str = BODY) -> dict[str, str]:
    return headers_for((key,), id, int(door.now() - age), body.encode())


def stripe(door: Door, key: bytes = _key("pay"), age: float = 0.0, stamp: str = "") -> dict[str, str]:
    stamp = stamp or str(int(door.now() - age))
    return {"stripe-signature": f"t={stamp},v1={_mac(key, f'{stamp}.{BODY}')}"}


def github(key: bytes = _key("code"), body: str = BODY) -> dict[str, str]:
    return {"x-hub-signature-256": f"sha256={_mac(key, body)}"}


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


CHANGED = BODY.replace("7", "8")
FORGED: dict[str, Callable[[Door], tuple[dict[str, str], str, str]]] = {
    "unsigned": lambda door: ({}, BODY, "shop"),
    "forged": lambda door: (signed(door, key=OTHER), BODY, "shop"),
    "altered": lambda door: (signed(door), CHANGED, "shop"),
    "expired": lambda door: (signed(door, age=1000), BODY, "shop"),
    "from the future": lambda door: (signed(door, age=-1000), BODY, "shop"),
    "an old one with the time of now": lambda door: (
        signed(door, age=10_000) | {"webhook-timestamp": str(int(door.now()))}, BODY, "shop",
    ),
    "replayed as another event": lambda door: (signed(door) | {"webhook-id": "msg_9"}, BODY, "shop"),
    "its id moved into its time": lambda door: (signed(door, "msg_1.7") | {"webhook-id": "msg_1"}, BODY, "shop"),
    "no number as its time": lambda door: (signed(door) | {"webhook-timestamp": "now"}, BODY, "shop"),
    "an empty signature": lambda door: (signed(door) | {"webhook-signature": "v1,"}, BODY, "shop"),
    "a signature that is no base64": lambda door: (signed(door) | {"webhook-signature": "v1,é!"}, BODY, "shop"),
    "for an unknown name": lambda door: (signed(door), BODY, "other"),
    "for no name": lambda door: (signed(door), BODY, ""),
    "for a name with a path": lambda door: (signed(door), BODY, "shop/more"),
    "by another sender's key": lambda door: (stripe(door, KEY), BODY, "pay"),
    "by another scheme": lambda door: (github(KEY), BODY, "shop"),
    "stripe, forged": lambda door: (stripe(door, OTHER), BODY, "pay"),
    "stripe, altered": lambda door: (stripe(door), CHANGED, "pay"),
    "stripe, expired": lambda door: (stripe(door, age=1000), BODY, "pay"),
    "stripe, no number as its time": lambda door: (stripe(door, stamp="nan"), BODY, "pay"),
    "github, forged": lambda door: (github(OTHER), BODY, "code"),
    "github, altered": lambda door: (github(), CHANGED, "code"),
    "with a token of the sign-on": lambda door: ({"authorization": "Bearer x"}, BODY, "shop"),
}  # fmt: skip


def test_every_forged_webhook_gets_the_same_answer_and_starts_nothing(door: Door) -> None:
    nobody = door.webhook({}, name="nobody")
    assert nobody[0] == 401
    for attack, made in FORGED.items():
        assert door.webhook(*made(door)) == nobody, attack
    assert door.executions() == []


def test_a_replayed_webhook_starts_nothing_more_and_with_another_body_is_a_conflict(door: Door) -> None:
    for name, headers in (("shop", signed(door)), ("pay", stripe(door)), ("code", github())):
        assert door.webhook(headers, name=name)[1]["created"] is True
        assert door.webhook(headers, name=name)[1]["created"] is False
    assert door.webhook(signed(door, age=100))[1] == {"execution_id": "shop.msg_1", "created": False}
    assert door.webhook(signed(door, body=CHANGED), CHANGED)[0] == 409
    assert len(door.executions()) == 3


# -- tokens of a sign-on ------------------------------------------------------------------------------------------


def test_every_forged_token_is_refused_on_each_way_to_send_it(door: Door, issuer: TestIssuer) -> None:
    """Algorithm, signature, issuer, audience, times and the names of keys: tests/http/forging.py has them."""
    body = json.dumps({"execution_id": "one"})
    for attack, forge in ATTACKS.items():
        token = forge(issuer)
        for headers in ({"authorization": f"Bearer {token}"}, {"x-api-key": token}):
            assert door.send("POST", "/v1/workflows/attacked/executions", headers, body)[0] == 401, attack
            assert door.send("GET", "/v1/executions", headers)[0] == 401, attack
    assert door.executions() == []
    right = {"authorization": f"Bearer {issuer.token()}"}
    assert door.send("POST", "/v1/workflows/attacked/executions", right, body)[0] == 201


# -- links --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest) -> Iterator[Visited]:
    with HOMES[request.param]() as made:
        yield made


def answered(home: Visited, token: str, answer: str = "yes") -> tuple[int, str]:
    said = home.ask("POST", PATH, {"answer": answer}, key="", query={"token": token})
    return said.status, said.json().get("type", "").rpartition(":")[2]


def test_links_altered_of_another_execution_used_twice_and_expired_are_refused(home: Visited) -> None:
    whole, yes, no = home.mailed("one")
    other, other_yes, _ = home.mailed("other")
    before = home.dump()
    for at in range(0, len(whole), 3):
        altered = whole[:at] + ("A" if whole[at] != "A" else "B") + whole[at + 1 :]
        assert answered(home, altered) == (403, "link-invalid"), at
    parts, others = yes.split("."), other_yes.split(".")
    whole_parts = whole.split(".")
    for name, forged in {
        "the claims of another execution": [*whole_parts[:2], other.split(".")[2], *whole_parts[3:]],
        "the signature of another execution": [*whole_parts[:3], other.split(".")[3]],
        "the answer of another link": [*parts[:3], no.split(".")[3], parts[4]],
        "the narrowed answer of another execution": [*parts[:3], *others[3:]],
        "the answer taken away": [*parts[:3], parts[4]],
        "no signature": parts[:4],
        "another key": [parts[0], "00000000", *parts[2:]],
        "nothing": [],
    }.items():
        assert answered(home, ".".join(forged)) == (403, "link-invalid"), name
    assert home.dump() == before
    assert answered(home, yes, "no")[0] == 422
    assert answered(home, no, "no")[0] == 202
    assert answered(home, no, "no")[0] == 200  # the very same again: the first one counts, and nothing is taken twice
    assert answered(home, yes)[0] == answered(home, whole)[0] == 409
    home.later(days=4)
    assert answered(home, other) == (410, "link-expired")
    assert home.ask("GET", "/v1/executions/one").json()["result"] == "no"
    assert home.ask("GET", "/v1/executions/other").json()["status"] == "FAILED"


def test_a_link_of_a_revoked_key_and_one_of_a_deleted_execution_are_refused(home: Visited) -> None:
    whole, *_ = home.mailed("one")
    assert home.ask("DELETE", "/v1/executions/one").status in (404, 409)  # it runs
    assert home.ask("POST", "/v1/executions/one/terminate").status == 200
    home.later(minutes=1)
    assert home.ask("DELETE", "/v1/executions/one").status == 200
    assert answered(home, whole)[0] == 410
    again, *_ = home.mailed("one")
    assert answered(home, whole)[0] == 410  # its successor under the same id is another one
    assert home.ask("POST", "/v1/link-keys/rotate", {"revoke": True}).status == 200
    home.later(minutes=2)
    assert answered(home, again) == (403, "link-invalid")
