"""Tokens of an issuer at the functions of a deployment: the authorizer checks them, the API takes what it says."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stepfast import workflow
from stepfast.deployment.settings import JWT, PAGE_SIGN_ON, Settings
from stepfast.errors import StartupError
from stepfast.functions.entry import Failed
from stepfast.issuer_keys import ISSUER_PAUSE_SECONDS
from stepfast.page_sign_on import PageSignOn
from stepfast.restriction import Restriction
from stepfast.sign_on import FORWARDED, SignOnSettings
from tests.functions.conftest import Aws
from tests.functions.sources import http
from tests.http.forging import ATTACKS
from tests.http.issuing import TestIssuer, issuing, table

REFUSED = {"isAuthorized": False}


@workflow("signed-on")
async def signed_on(name: str = "") -> str:
    return "done"


@pytest.fixture
def issuer() -> Iterator[TestIssuer]:
    with issuing() as running:
        yield running


class Deployed:
    """The two functions as API Gateway calls them: the authorizer, and the API if that lets the request in."""

    def __init__(self, aws: Aws, issuer: TestIssuer, **changed: Any) -> None:
        self.aws = aws
        text = SignOnSettings.of(table(issuer.address, **changed)).as_text()
        self.authorizer = aws.build("authorizer", jwt=text)

    def authorized(self, **headers: str) -> Any:
        return self.authorizer({"version": "2.0", "type": "REQUEST", "headers": headers})

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the body; 403 without a body is API Gateway's, which has not called the API."""
        let_in = self.authorized(**headers)
        if not let_in["isAuthorized"]:
            return 403, None
        event = http(method, path, body, {"lambda": let_in["context"]})
        event["headers"] |= headers
        answer = self.aws.invoke("api", event, auth="jwt")
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def deployed(deploy: Any, issuer: TestIssuer) -> Deployed:
    return Deployed(deploy(signed_on), issuer)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


START = "/v1/workflows/signed-on/executions"


def test_a_token_and_a_key_are_both_let_in(deployed: Deployed, issuer: TestIssuer) -> None:
    _, key = deployed.aws.keys.create("shop", ["read"], deployed.aws.clock.now())
    everything = {"isAuthorized": True, "context": {"scopes": "read run operate", "key": "ada@example.com"}}
    assert deployed.authorized(**bearer(issuer.token())) == everything
    assert deployed.authorized(**{FORWARDED: issuer.token()}) == everything
    assert deployed.authorized(**bearer(key))["context"] == {"scopes": "read", "key": "shop"}
    assert deployed.authorized(**{"x-api-key": key})["context"] == {"scopes": "read", "key": "shop"}
    assert deployed.authorized(**bearer("sf_0123456789abcdef_" + "A" * 43)) == REFUSED
    assert deployed.authorized() == REFUSED


def test_the_claim_says_what_a_token_allows(deployed: Deployed, issuer: TestIssuer) -> None:
    for groups, starts in ((["operators"], 201), (["support"], 403), (["else"], 403), (None, 403)):
        status, _ = deployed.ask("POST", START, {"input": "Ada"}, **bearer(issuer.token(groups=groups)))
        assert status == starts, groups


def test_who_may_look_reads_no_values_and_a_limited_key_stays_limited(deployed: Deployed, issuer: TestIssuer) -> None:
    status, started = deployed.ask("POST", START, {"execution_id": "one", "input": "Ada"}, **bearer(issuer.token()))
    path = "/v1/executions/one"
    assert status == 201, started
    shown = deployed.ask("GET", path, **bearer(issuer.token()))[1]
    assert shown["input"] == "Ada"
    assert deployed.ask("GET", path, **bearer(issuer.token(groups=["support"])))[1]["input"] is None
    limits = Restriction(("another-*",), {})
    _, limited = deployed.aws.keys.create("other", ["read"], deployed.aws.clock.now(), None, limits)
    assert deployed.ask("GET", path, **bearer(limited))[0] == 404


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_token_lets_nobody_in(deployed: Deployed, issuer: TestIssuer, attack: str) -> None:
    assert deployed.authorized(**bearer(ATTACKS[attack](issuer))) == REFUSED
    assert deployed.authorized(**bearer(issuer.token()))["isAuthorized"]
    assert set(issuer.asked) <= {"/.well-known/openid-configuration", "/keys"}


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA"])
def test_other_algorithms_are_taken_where_the_settings_name_them(
    deploy: Any, issuer: TestIssuer, algorithm: str
) -> None:
    issuer.add_key("other", algorithm=algorithm)
    aws = deploy(signed_on)
    for named, let_in in (([algorithm], True), (["RS256"], False)):
        answer = Deployed(aws, issuer, algorithms=named).authorized(**bearer(issuer.token("other", "other")))
        assert answer["isAuthorized"] == let_in


def test_a_page_of_another_site_changes_nothing_by_a_proxys_token(deployed: Deployed, issuer: TestIssuer) -> None:
    foreign = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site"}
    for sent in (bearer(issuer.token()), {FORWARDED: issuer.token()}):
        status, body = deployed.ask("POST", START, {}, **sent, **foreign)
        assert (status, body["type"].rpartition(":")[2]) == (403, "forbidden-origin")
        assert deployed.ask("GET", "/v1/executions", **sent, **foreign)[0] == 200


def test_a_sandbox_reads_the_keys_once_and_serves_through_an_outage(
    deployed: Deployed, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        assert deployed.authorized(**bearer(issuer.token()))["isAuthorized"]
        assert deployed.authorized(**bearer(issuer.token(f"unknown-{number}"))) == REFUSED
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    issuer.away = True
    later = time.monotonic() + ISSUER_PAUSE_SECONDS
    monkeypatch.setattr("stepfast.functions.authorizer.time.monotonic", lambda: later)
    assert deployed.authorized(**bearer(issuer.token()))["isAuthorized"]


def test_a_new_sandbox_fails_while_the_issuer_is_away_and_lets_keys_in(
    deployed: Deployed, issuer: TestIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.away = True
    token = issuer.token()
    with pytest.raises(Failed) as raised:
        deployed.authorized(**bearer(token))
    assert token not in f"{raised.value} {caplog.text}"
    _, key = deployed.aws.keys.create("shop", ["read"], deployed.aws.clock.now())
    assert deployed.authorized(**bearer(key))["isAuthorized"]


def test_without_the_setting_a_token_is_no_key_and_nothing_is_imported_for_it(
    deploy: Any, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stepfast.sign_on", "stepfast.issuer_keys", "jwt"):
        monkeypatch.setitem(sys.modules, name, None)
    authorizer = deploy(signed_on).build("authorizer")
    assert authorizer({"headers": bearer(issuer.token())}) == REFUSED
    assert issuer.asked == []


def test_settings_that_cannot_be_read_are_named(deploy: Any) -> None:
    aws = deploy(signed_on)
    for text in ("{", "[]", '{"issuer": "http://elsewhere.example"}'):
        with pytest.raises(StartupError, match=JWT):
            aws.build("authorizer", jwt=text)


def test_the_settings_survive_the_environment(issuer: TestIssuer) -> None:
    wanted = SignOnSettings.of(table(issuer.address, algorithms=["ES256", "RS256"]))
    settings = Settings("table", jwt=wanted.as_text())
    read = Settings.from_environment(settings.to_environment())
    assert SignOnSettings.of_text(read.jwt, JWT) == wanted


def test_the_page_of_a_deployment_learns_how_to_sign_in_without_a_key(deploy: Any) -> None:
    said = PageSignOn("https://login.example.com", "the-page")
    aws = deploy(signed_on)
    for text, connects in ((said.as_text(), "'self' https://login.example.com;"), ("", "'self';")):
        answer = aws.invoke("api", http("GET", "/", None, {}), auth="jwt", page_sign_on=text)
        assert f"connect-src {connects}" in answer["headers"]["Content-Security-Policy"]
    with pytest.raises(StartupError, match=PAGE_SIGN_ON):
        PageSignOn.of_text("{}", PAGE_SIGN_ON)
    assert (
        Settings.from_environment({"STEPFAST_TABLE": "t", PAGE_SIGN_ON: said.as_text()}).page_sign_on == said.as_text()
    )
