"""Tokens of an issuer: which are taken, what they allow, and what an attacker cannot do with them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stepfast import workflow
from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.errors import StartupError
from stepfast.http.auth import Authenticator, caller_of
from stepfast.http.signed_on import SignedOn
from stepfast.issuer_keys import FRESH_SECONDS, ISSUER_KEPT_SECONDS, ISSUER_PAUSE_SECONDS, IssuerKeys, read_address
from stepfast.language.registry import Registry
from stepfast.page_sign_on import CLIENT_SETTINGS, PageSignOn
from stepfast.sign_on import FORWARDED, SignOn, SignOnSettings
from tests.http.forging import ATTACKS
from tests.http.issuing import TestIssuer, issuing, table

START = "/v1/workflows/nothing/executions"


@workflow("nothing")
async def nothing() -> None: ...


class Clock:
    now = 1000.0


@pytest.fixture
def issuer() -> Iterator[TestIssuer]:
    with issuing() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guarded(serve: Any, issuer: TestIssuer, clock: Clock) -> Any:
    settings = SignOnSettings.of(table(issuer.address))
    keys = IssuerKeys(issuer.address, read_address, lambda: clock.now)
    machines = Authenticator.from_environment({"STEPFAST_API_KEYS": "machine-key"})
    return serve(nothing, keys=SignedOn(SignOn(settings, keys), machines))


def asked(api: Any, token: str, method: str = "GET", path: str = "/v1/executions", **headers: str) -> Any:
    sent = {"authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return api.ask(method, path, {} if method == "POST" else None, headers=sent)


# -- what is let in -------------------------------------------------------------------------------------------


def test_a_token_and_a_key_are_both_let_in(guarded: Any, issuer: TestIssuer) -> None:
    assert asked(guarded, issuer.token(), "POST", START).status == 201
    assert asked(guarded, "machine-key", "POST", START).status == 201
    assert guarded.ask("GET", "/v1/executions", headers={FORWARDED: issuer.token()}).status == 200


def test_the_history_names_who_has_signed_on(guarded: Any, issuer: TestIssuer) -> None:
    named = {name: guarded_name(guarded, issuer.token(**claims)) for name, claims in NAMES.items()}
    assert named == {"email": "ada@example.com", "subject": "u-1", "cut": "n" * 64, "clean": "ab"}


NAMES: dict[str, dict[str, Any]] = {
    "email": {},
    "subject": {"email": None},
    "cut": {"email": "n" * 100},
    "clean": {"email": "a\n\x00b"},
}


def guarded_name(guarded: Any, token: str) -> str | None:
    return caller_of({"headers": {"Authorization": f"Bearer {token}"}}, guarded.keys)


@pytest.mark.parametrize(
    ("groups", "reads", "starts"),
    [
        (["operators"], 200, 201),
        ("else operators", 200, 201),
        (["support"], 200, 403),
        (["both"], 200, 403),
        (["else"], 403, 403),
        ([["operators"], 7], 403, 403),
        ({"operators": True}, 403, 403),
        (None, 403, 403),
    ],
)
def test_the_claim_says_what_a_token_allows(
    guarded: Any, issuer: TestIssuer, groups: Any, reads: int, starts: int
) -> None:
    token = issuer.token(groups=groups)
    assert asked(guarded, token).status == reads
    assert asked(guarded, token, "POST", START).status == starts


def test_the_issuer_is_asked_once_for_many_tokens(guarded: Any, issuer: TestIssuer) -> None:
    for _ in range(5):
        assert asked(guarded, issuer.token()).status == 200
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "PS256", "EdDSA"])
def test_other_algorithms_are_taken_where_the_settings_name_them(
    serve: Any, issuer: TestIssuer, algorithm: str
) -> None:
    issuer.add_key("other", algorithm=algorithm)
    for named, status in (([algorithm], 200), (["RS256"], 401)):
        settings = SignOnSettings.of(table(issuer.address, algorithms=named))
        api = serve(nothing, keys=SignedOn(SignOn(settings), None))
        assert asked(api, issuer.token("other", "other")).status == status


def test_clocks_may_differ_by_some_seconds(guarded: Any, issuer: TestIssuer) -> None:
    now = int(time.time())
    assert asked(guarded, issuer.token(iat=now + 10, nbf=now + 10)).status == 200
    assert asked(guarded, issuer.token(exp=now - 10)).status == 200


# -- attacks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_token_is_told_to_sign_in_and_nothing_else(guarded: Any, issuer: TestIssuer, attack: str) -> None:
    token = ATTACKS[attack](issuer)
    answer = asked(guarded, token)
    assert (answer.status, answer.kind) == (401, "unauthorized")
    assert answer.body["detail"] == "sign in again, or send an API key"
    assert asked(guarded, issuer.token()).status == 200  # what is right is let in all the same
    assert set(issuer.asked) <= {"/.well-known/openid-configuration", "/keys"}


def test_a_header_that_only_names_somebody_lets_nobody_in(guarded: Any) -> None:
    for name in ("x-forwarded-user", "x-forwarded-email", "x-amzn-oidc-identity"):
        assert guarded.ask("GET", "/v1/executions", headers={name: "ada@example.com"}).status == 401


def test_a_page_of_another_site_changes_nothing_by_a_proxys_token(guarded: Any, issuer: TestIssuer) -> None:
    foreign = {"origin": "https://elsewhere.example", "sec_fetch_site": "cross-site"}
    assert asked(guarded, issuer.token(), "POST", START, **foreign).status == 403
    assert (
        guarded.ask("POST", START, {}, headers={FORWARDED: issuer.token(), "sec-fetch-site": "cross-site"}).status
        == 403
    )


# -- the issuer's keys ----------------------------------------------------------------------------------------


def test_many_unknown_keys_ask_the_issuer_at_a_bounded_rate(guarded: Any, issuer: TestIssuer, clock: Clock) -> None:
    assert asked(guarded, issuer.token()).status == 200
    clock.now += ISSUER_PAUSE_SECONDS
    for number in range(30):
        assert asked(guarded, issuer.token(f"unknown-{number}")).status == 401
    assert issuer.asked.count("/keys") == 2


def test_a_new_key_is_found_when_a_token_names_it(guarded: Any, issuer: TestIssuer, clock: Clock) -> None:
    assert asked(guarded, issuer.token()).status == 200
    issuer.add_key("second")
    clock.now += ISSUER_PAUSE_SECONDS
    assert asked(guarded, issuer.token("second", "second")).status == 200


def test_a_withdrawn_key_ends_within_the_hour(guarded: Any, issuer: TestIssuer, clock: Clock) -> None:
    token = issuer.token()
    assert asked(guarded, token).status == 200
    del issuer.keys["first"]
    clock.now += FRESH_SECONDS
    assert asked(guarded, token).status == 401


def test_the_last_keys_serve_during_an_outage_for_a_day(guarded: Any, issuer: TestIssuer, clock: Clock) -> None:
    assert asked(guarded, issuer.token()).status == 200
    issuer.away = True
    clock.now += ISSUER_KEPT_SECONDS - 1
    assert asked(guarded, issuer.token()).status == 200
    clock.now += ISSUER_PAUSE_SECONDS
    assert (asked(guarded, issuer.token()).status, asked(guarded, "machine-key").status) == (503, 200)
    issuer.away = False
    clock.now += ISSUER_PAUSE_SECONDS
    assert asked(guarded, issuer.token()).status == 200


def test_keys_of_a_document_that_names_another_issuer_are_not_taken(guarded: Any, issuer: TestIssuer) -> None:
    issuer.claimed = "https://elsewhere.example"
    assert asked(guarded, issuer.token()).status == 503
    assert issuer.asked == ["/.well-known/openid-configuration"]


# -- settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"issuer": "http://login.example.com"}, "issuer"),
        ({"issuer": None}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"scopes": {}}, "scopes"),
        ({"scopes": {"operators": ["all"]}}, "operators"),
        ({"secret": "x"}, "secret"),
        ({"client_id": " "}, "client_id"),
        ({"client_scope": "openid"}, "client_id"),
        ({"client_id": "page", "client_scope": "profile"}, "client_scope"),
        ({"client_id": "page", "client_token": "refresh_token"}, "client_token"),
        ({"client_id": "page", "client_parameters": {"prompt": 1}}, "client_parameters"),
        ({"client_id": "page", "client_parameters": {"redirect_uri": "https://elsewhere.example"}}, "redirect_uri"),
        ({"client_id": "page", "client_parameters": {"code_challenge_method": "plain"}}, "code_challenge_method"),
        ({"client_id": "page", "client_origins": ["https://tokens.example.com/path"]}, "client_origins"),
        ({"client_id": "page", "client_origins": ["http://tokens.example.com"]}, "client_origins"),
        ({"client_id": "page", "client_origins": ["https://a.example.com; script-src *"]}, "client_origins"),
        ({"client_id": "page", "client_origins": ["https://*.example.com"]}, "client_origins"),
        ({"client_id": "page", "issuer": "https://user:pass@login.example.com"}, "issuer"),
    ],
)
def test_a_wrong_setting_is_named(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(StartupError, match=named):
        Project.of({"auth": "jwt", "jwt": table("https://login.example.com", **changed)})


def test_the_setting_and_its_table_belong_together() -> None:
    for alone in ({"auth": "jwt"}, {"jwt": table("https://login.example.com")}):
        with pytest.raises(StartupError, match="belong together"):
            Project.of(alone)


def test_a_deployment_refuses_an_issuer_on_this_machine_and_settings_that_no_environment_holds() -> None:
    scopes = {f"group-{number:04}": ["read"] for number in range(200)}
    page = {"client_id": "page", "client_parameters": {"claims": "x" * 600}}
    for changed, message in (
        ({"issuer": "http://localhost:1"}, "https://"),
        ({"scopes": scopes}, "fewer values"),
        (page, "client_parameters"),
    ):
        said = table("https://login.example.com", **changed)
        with pytest.raises(StartupError, match=message):
            Plan.of(Registry([nothing]), Project.of({"auth": "jwt", "jwt": said}))


def test_the_page_learns_what_it_signs_in_with_and_the_authorizer_nothing_of_it() -> None:
    said = {"client_id": "page", "client_scope": "openid api", "client_parameters": {"audience": "stepfast"}}
    settings = SignOnSettings.of(table("https://login.example.com/a", **said, client_token="id_token"))
    page = settings.page
    assert page == PageSignOn("https://login.example.com/a", "page", "openid api", {"audience": "stepfast"}, "id_token")
    assert PageSignOn.of_text(page.as_text(), "STEPFAST_PAGE_SIGN_ON") == page
    assert set(json.loads(page.as_text())) == {"issuer", *CLIENT_SETTINGS}  # no scopes of groups
    assert "client" not in settings.as_text()
    assert SignOnSettings.of_text(settings.as_text(), "STEPFAST_JWT").page is None
    assert SignOnSettings.of(table("https://login.example.com")).page is None
