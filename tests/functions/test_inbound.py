"""Webhooks of others at the API of a deployment: their secrets are in Secrets Manager or Parameter Store."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import workflow
from stepfast.deployment.event_settings import inbound_settings, inbound_text
from stepfast.deployment.settings import INBOUND, Settings
from stepfast.errors import StartupError
from stepfast.functions.inbound_secrets import SECRET_FRESH_SECONDS, SECRET_PAUSE_SECONDS
from stepfast.http.inbound import execution_id_for
from stepfast.webhook_signing import headers_for
from tests.functions.conftest import Aws, away, heard
from tests.functions.sources import failures, http, stream, woken

KEY, OTHER = b"k" * 24, b"o" * 24
TEXT = "whsec_" + base64.b64encode(KEY).decode()
BODY = json.dumps({"id": "evt_stripe", "order": 7})
TABLE: dict[str, Any] = {
    "shop": {"workflow": "ship", "aws_secret": "shop/webhook"},
    "pay": {"workflow": "ship", "aws_secret": "ssm:/pay/webhook", "scheme": "stripe"},
    "code": {"workflow": "ship", "aws_secret": "shop/github", "scheme": "github"},
    "here": {"workflow": "ship", "secret": "HERE"},
}


@workflow("ship")
async def ship(event: dict[str, Any]) -> str:
    return "done"


class Site:
    """The API function of a deployment that takes webhooks, which are in the form that API Gateway gives them."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        aws.clients.secretsmanager.create_secret(Name="shop/webhook", SecretString=TEXT)
        aws.clients.secretsmanager.create_secret(Name="shop/github", SecretString="secret-of-github")
        aws.clients.ssm.put_parameter(Name="/pay/webhook", Value="whsec_of_stripe", Type="SecureString")
        self.settings = inbound_text(inbound_settings("inbound", TABLE))
        self.function = aws.build("api", inbound=self.settings)

    def post(self, headers: dict[str, str], body: str = BODY, name: str = "shop", **changed: Any) -> tuple[int, Any]:
        event = http("POST", f"/v1/inbound/{name}")
        event["headers"] |= {"content-type": "application/json", **headers}
        answer = self.function({**event, "body": body, **changed})
        return answer["statusCode"], json.loads(answer["body"])

    def executions(self) -> list[str]:
        _, listed = self.aws.ask("GET", "/v1/executions")
        return [execution["execution_id"] for execution in listed["executions"]]

    def signed(self, id: str = "msg_1", age: float = 0.0, key: bytes = KEY, body: str = BODY) -> dict[str, str]:
        return headers_for((key,), id, int(self.aws.clock.now() - age), body.encode())


@pytest.fixture
def site(deploy: Callable[..., Aws]) -> Site:
    return Site(deploy(ship))


def stripe(site: Site, key: str = "whsec_of_stripe", age: float = 0.0) -> dict[str, str]:
    stamp = str(int(site.aws.clock.now() - age))
    mac = hmac.new(key.encode(), f"{stamp}.{BODY}".encode(), hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp},v1={mac}"}


def github(key: str = "secret-of-github", body: str = BODY) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(key.encode(), body.encode(), hashlib.sha256).hexdigest()}


def test_a_webhook_is_taken_once_while_its_workflow_is_paused_and_its_execution_is_held(site: Site) -> None:
    assert site.aws.ask("POST", "/v1/workflows/ship/pause", {"why": "an outage"})[0] == 200
    assert site.post(site.signed()) == (202, {"execution_id": "shop.msg_1", "created": True})
    for _ in range(2):
        assert failures(site.aws.invoke("advancer", stream(woken(1, "shop.msg_1")))) == []
    assert site.post(site.signed()) == (200, {"execution_id": "shop.msg_1", "created": False})
    assert site.aws.execution("shop.msg_1").status == "PAUSED"
    _, unpaused = site.aws.ask("POST", "/v1/workflows/ship/unpause", {})
    site.aws.ask("POST", f"/v1/jobs/{unpaused['job_id']}/stop")
    # Without the job, the next advance of the held one lets it go: it finds that the workflow is not paused.
    site.aws.invoke("advancer", stream(woken(2, "shop.msg_1")))
    site.aws.invoke("advancer", stream(woken(3, "shop.msg_1")))
    assert site.aws.execution("shop.msg_1").status == "SUCCEEDED"


def test_each_sender_starts_the_workflow_once_for_each_event(site: Site) -> None:
    code = hashlib.sha256(BODY.encode()).hexdigest()
    for name, headers, id in (
        ("shop", site.signed(), "shop.msg_1"),
        ("pay", stripe(site), "pay.evt_stripe"),
        ("code", github(), execution_id_for("code", code)),
    ):
        assert site.post(headers, name=name) == (202, {"execution_id": id, "created": True})
        assert site.post(headers, name=name) == (200, {"execution_id": id, "created": False})
    assert len(site.executions()) == 3


def test_a_body_in_base64_is_checked_by_its_bytes(site: Site) -> None:
    body = base64.b64encode(BODY.encode()).decode()
    assert site.post(site.signed(), body, isBase64Encoded=True)[0] == 202


ATTACKS: dict[str, Callable[[Site], tuple[dict[str, str], str, str]]] = {
    "unsigned": lambda site: ({}, BODY, "shop"),
    "forged": lambda site: (site.signed(key=OTHER), BODY, "shop"),
    "altered": lambda site: (site.signed(), BODY.replace("7", "8"), "shop"),
    "expired": lambda site: (site.signed(age=1000), BODY, "shop"),
    "from the future": lambda site: (site.signed(age=-1000), BODY, "shop"),
    "replayed as another event": lambda site: (site.signed() | {"webhook-id": "msg_9"}, BODY, "shop"),
    "for an unknown name": lambda site: (site.signed(), BODY, "other"),
    "for a name of another home": lambda site: (site.signed(), BODY, "here"),
    "with another sender's secret": lambda site: (stripe(site, TEXT), BODY, "pay"),
    "by another scheme": lambda site: (github(TEXT), BODY, "shop"),
    "stripe, expired": lambda site: (stripe(site, age=1000), BODY, "pay"),
    "github, altered": lambda site: (github(), BODY.replace("7", "8"), "code"),
    "with a key of the API": lambda site: ({"authorization": "Bearer key"}, BODY, "shop"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_on_a_deployment_gets_the_same_answer_and_starts_nothing(site: Site, attack: str) -> None:
    status, answer = site.post(*ATTACKS[attack](site))
    assert site.post(site.signed("right"), name="shop")[0] == 202
    assert (status, answer) == site.post({}, name="nobody")
    assert status == 401
    assert site.executions() == ["shop.right"]


def test_secrets_are_read_once_however_many_requests_there_are(site: Site) -> None:
    with heard(site.aws.clients.secretsmanager, "GetSecretValue") as reads:
        for number in range(10):
            site.post(site.signed(f"msg_{number}", key=OTHER), name="shop" if number % 2 else f"other-{number}")
    assert len(reads) == 2  # shop and code; pay is a parameter


def test_a_changed_secret_is_taken_within_minutes_and_an_outage_changes_nothing(site: Site) -> None:
    assert site.post(site.signed())[0] == 202
    new = "whsec_" + base64.b64encode(OTHER).decode()
    site.aws.clients.secretsmanager.put_secret_value(SecretId="shop/webhook", SecretString=new)
    site.aws.clock.time += SECRET_FRESH_SECONDS
    with away(site.aws.clients.secretsmanager):
        assert site.post(site.signed("msg_2"))[0] == 202
    site.aws.clock.time += SECRET_PAUSE_SECONDS
    assert site.post(site.signed("msg_3"))[0] == 401
    assert site.post(site.signed("msg_3", key=OTHER))[0] == 202


def test_while_a_secret_was_never_read_its_sender_is_asked_to_come_again_and_others_are_served(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.aws.clients.secretsmanager.put_secret_value(SecretId="shop/webhook", SecretString="whsec_no base64!")
    assert site.post(site.signed())[0] == 503
    assert site.post(github(), name="code")[0] == 202
    assert "no base64" not in caplog.text
    with heard(site.aws.clients.secretsmanager, "GetSecretValue") as reads:
        for _ in range(5):
            site.post(site.signed())
    assert reads == []
    site.aws.clients.secretsmanager.put_secret_value(SecretId="shop/webhook", SecretString=TEXT)
    site.aws.clock.time += SECRET_PAUSE_SECONDS
    assert site.post(site.signed())[0] == 202


def test_without_the_setting_no_webhook_is_taken_and_nothing_is_read(site: Site) -> None:
    site.function = site.aws.build("api")
    with heard(site.aws.clients.secretsmanager, "GetSecretValue") as reads:
        assert site.post(site.signed())[0] in (401, 404)
    assert reads == []
    assert site.executions() == []


def test_the_settings_of_a_deployment_are_checked() -> None:
    for wrong, said in (
        ({}, "neither a secret"),
        ({"aws_secret": TEXT}, "aws_secret"),
        ({"aws_secret": "a b"}, "aws_secret"),
        ({"aws_secret": 7}, "aws_secret"),
    ):
        with pytest.raises(StartupError, match=said) as raised:
            inbound_settings("tool.stepfast.inbound", {"shop": {"workflow": "ship", **wrong}})
        assert TEXT not in str(raised.value)
    assert inbound_text(inbound_settings("inbound", {"here": TABLE["here"]})) == ""
    settings = Settings("table", inbound=inbound_text(inbound_settings("inbound", TABLE)))
    assert Settings.from_environment(settings.to_environment()).inbound == settings.inbound
    assert "HERE" not in settings.inbound


def test_settings_of_an_environment_that_cannot_be_read_are_named(deploy: Callable[..., Aws]) -> None:
    aws = deploy(ship)
    for text in ("{", "[{}]", "7"):
        with pytest.raises(StartupError, match=INBOUND):
            aws.build("api", inbound=text)
