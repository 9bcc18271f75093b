"""API keys in the table, and the authorizer that looks them up."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import api_key as module
from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from stepfast.errors import InvalidRequest, StartupError, Unavailable
from stepfast.functions.entry import Failed
from stepfast.http.auth import GatewayAuth, Grant
from stepfast.restriction import Restriction
from tests.functions.conftest import Aws, away

NOW = 1_795_000_000.0


@pytest.fixture
def aws(deploy: Callable[..., Aws]) -> Aws:
    return deploy()


@pytest.fixture
def keys(aws: Aws) -> ApiKeys:
    return aws.keys


def authorized(aws: Aws, **headers: str) -> Any:
    return aws.invoke("authorizer", {"version": "2.0", "type": "REQUEST", "headers": headers})


# -- keys ------------------------------------------------------------------------------------------------------


def test_a_key_is_found_by_its_whole_text_only(keys: ApiKeys) -> None:
    made, text = keys.create("shop", ["run", "read"], NOW)
    assert keys.find(text, NOW) == made
    assert (made.name, made.scopes, made.until) == ("shop", ("read", "run"), None)
    other = keys.create("other", ["read"], NOW)[1]
    mixed = "_".join([*text.split("_", 2)[:2], other.split("_", 2)[2]])
    for wrong in (
        text[:-1],
        text + "x",
        text.upper(),
        mixed,
        f"sf_{made.key_id}_",
        made.key_id,
        "",
        "sf__",
        "x" * 9999,
    ):
        assert keys.find(wrong, NOW) is None, wrong


def test_the_table_has_a_digest_and_no_secret(aws: Aws, keys: ApiKeys) -> None:
    _, text = keys.create("shop", ["read"], NOW)
    secret = text.split("_", 2)[2]
    (item,) = aws.clients.dynamodb.scan(TableName=aws.settings.table)["Items"]
    assert item["hash"]["B"] == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(item)


def test_a_key_ends_when_it_expires(keys: ApiKeys) -> None:
    made, text = keys.create("short", ["read"], NOW, until=NOW + 60)
    assert keys.find(text, NOW + 59.9) == made
    assert keys.find(text, NOW + 60) is None
    assert [key.state(NOW + 60) for key in keys.list()] == ["expired"]


def test_a_revoked_key_is_refused_at_once_and_stays_in_the_list(aws: Aws, keys: ApiKeys) -> None:
    made, text = keys.create("shop", ["read"], NOW)
    assert keys.revoke(made.key_id, NOW + 5)
    assert keys.find(text, NOW + 5) is None
    assert not keys.revoke(made.key_id, NOW + 6)
    assert [(key.state(NOW), key.revoked_at) for key in keys.list()] == [("revoked", NOW + 5)]
    (item,) = aws.clients.dynamodb.scan(TableName=aws.settings.table)["Items"]
    assert "hash" not in item
    assert float(item["expires"]["N"]) > NOW, "and leaves it in time"


def test_what_is_no_key_cannot_be_revoked(keys: ApiKeys) -> None:
    assert not keys.revoke("0123456789abcdef", NOW)
    assert keys.list() == []


def test_the_list_has_every_key_newest_first(keys: ApiKeys) -> None:
    for number in range(120):
        keys.create(f"key {number}", ["read"], NOW + number)
    assert [key.name for key in keys.list()] == [f"key {number}" for number in reversed(range(120))]


def test_keys_are_in_no_page_of_executions(aws: Aws, keys: ApiKeys) -> None:
    keys.create("shop", ["read"], NOW)
    assert aws.ask("GET", "/v1/executions")[1]["executions"] == []


@pytest.mark.parametrize(
    ("name", "scopes", "until"),
    [
        ("", ["read"], None),
        ("x" * 65, ["read"], None),
        ("a\nb", ["read"], None),
        ("shop", [], None),
        ("shop", ["admin"], None),
        ("shop", ["read"], NOW),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(
    keys: ApiKeys, name: str, scopes: list[str], until: float | None
) -> None:
    with pytest.raises(InvalidRequest):
        keys.create(name, scopes, NOW, until)
    assert keys.list() == []


def test_an_unknown_id_is_compared_as_well(keys: ApiKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    real = module.hmac.compare_digest

    def compare(expected: bytes, other: bytes) -> bool:
        compared.append(len(other))
        return real(expected, other)

    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    _, text = keys.create("shop", ["read"], NOW)
    keys.find(text, NOW)
    keys.find(f"sf_{'0' * 16}_{text.split('_', 2)[2]}", NOW)
    assert compared == [32, 32]


def test_a_table_that_is_not_there_is_named(aws: Aws) -> None:
    missing = ApiKeys(aws.clients.dynamodb, "elsewhere")
    for act in (
        lambda: missing.create("shop", ["read"], NOW),
        lambda: missing.find(f"sf_{'0' * 16}_{'A' * 43}", NOW),
        lambda: missing.list(),
        lambda: missing.revoke("0" * 16, NOW),
    ):
        with pytest.raises(StartupError, match="'elsewhere'"):
            act()


# -- the authorizer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["Bearer {}", "bearer  {} ", "BEARER {}"])
def test_the_authorizer_tells_scopes_and_name(aws: Aws, keys: ApiKeys, form: str) -> None:
    _, text = keys.create("shop", ["run", "read"], NOW)
    expected = {"isAuthorized": True, "context": {"scopes": "read run", "key": "shop"}}
    assert authorized(aws, authorization=form.format(text)) == expected
    assert authorized(aws, Authorization=form.format(text)) == expected
    assert authorized(aws, **{"x-api-key": text}) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Basic {}"},
        {"authorization": "{}"},
        {"x-api-key": ""},
        {"x-api-key": "schlüssel"},
        {"x-api-key": "Bearer {}"},
        {"cookie": "key={}"},
    ],
)
def test_the_authorizer_refuses_what_is_no_key(aws: Aws, keys: ApiKeys, headers: dict[str, str]) -> None:
    _, text = keys.create("shop", SCOPES, NOW)
    assert authorized(aws, **{name: value.format(text) for name, value in headers.items()}) == {"isAuthorized": False}


def test_the_authorizer_refuses_expired_and_revoked_keys(aws: Aws, keys: ApiKeys) -> None:
    made, revoked = keys.create("revoked", SCOPES, NOW)
    _, expired = keys.create("expired", SCOPES, NOW, until=NOW + 1)
    keys.revoke(made.key_id, NOW)
    for text in (revoked, expired):
        assert authorized(aws, authorization=f"Bearer {text}") == {"isAuthorized": False}


def test_while_the_table_is_away_nobody_is_told_that_the_key_is_wrong(
    aws: Aws, keys: ApiKeys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "stepfast")
    _, text = keys.create("shop", SCOPES, NOW)
    with away(aws.clients.dynamodb):
        with pytest.raises(Unavailable):
            keys.find(text, NOW)
        with pytest.raises(Failed) as raised:
            authorized(aws, authorization=f"Bearer {text}")
    assert text not in f"{raised.value} {caplog.text}"


def test_an_event_without_headers_is_refused(aws: Aws) -> None:
    assert aws.invoke("authorizer", json.loads('{"headers": null}')) == {"isAuthorized": False}
    assert aws.invoke("authorizer", {}) == {"isAuthorized": False}


def test_the_authorizer_says_what_a_key_is_limited_to_where_older_functions_do_not_look(aws: Aws) -> None:
    limits = Restriction(("report-*",), {"team": "billing"})
    made, text = aws.keys.create("shop", ["look", "run"], NOW, None, limits)
    assert made.restriction == limits
    answer = authorized(aws, authorization=f"Bearer {text}")
    assert answer["context"]["scopes"] == ""
    assert json.loads(answer["context"]["limited"]) == {"scopes": "look run", "restriction": limits.as_json()}
    grant = GatewayAuth().granted({"requestContext": {"authorizer": {"lambda": answer["context"]}}})
    assert grant == Grant(frozenset({"look", "run"}), limits)
    (item,) = aws.clients.dynamodb.scan(TableName=aws.settings.table)["Items"]
    assert "scopes" not in item, "an authorizer of an older version must not give the key away without its limits"
