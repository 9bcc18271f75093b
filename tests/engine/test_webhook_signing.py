"""Signatures of webhooks: ours, and those of others, which nobody can alter, forge or use again later."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from stepfast.webhook_signing import Scheme, event_id_in, headers_for, keys_in

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEYS = keys_in(SECRET)
OTHER = keys_in(f"whsec_{base64.b64encode(b'x' * 24).decode()}")
BODY, NOW = b'{"test": 2432232314}', 1614265330
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"


def checked(
    headers: dict[str, str], body: bytes = BODY, now: float = NOW, keys: tuple[bytes, ...] = KEYS
) -> str | None:
    return event_id_in("standard", keys, headers, body, now, 300)


def test_a_signature_is_that_of_the_specification() -> None:
    """The test vector of Standard Webhooks' own libraries."""
    headers = headers_for(KEYS, ID, NOW, BODY)
    assert headers == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert checked(headers) == ID


def test_while_a_key_is_replaced_both_sign_and_either_is_taken() -> None:
    both = headers_for((*OTHER, *KEYS), ID, NOW, BODY)
    assert checked(both) == ID
    assert checked(both, keys=OTHER) == ID
    assert checked(headers_for(OTHER, ID, NOW, BODY), keys=(*KEYS, *OTHER)) == ID


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_another"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(NOW + 1)},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v1,G0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v1,\N{LATIN SMALL LETTER E WITH ACUTE}"},
    ],
)
def test_a_webhook_with_another_head_is_refused(changes: dict[str, str]) -> None:
    assert checked(headers_for(KEYS, ID, NOW, BODY) | changes) is None


def test_an_altered_body_a_wrong_key_and_a_missing_header_are_refused() -> None:
    headers = headers_for(KEYS, ID, NOW, BODY)
    assert checked(headers, BODY + b" ") is None
    assert checked(headers, keys=OTHER) is None
    for name in headers:
        assert checked({other: value for other, value in headers.items() if other != name}) is None


@pytest.mark.parametrize("late", [301, -301, 86400])
def test_a_signature_of_another_time_is_refused(late: int) -> None:
    assert checked(headers_for(KEYS, ID, NOW, BODY), now=NOW + late) is None
    assert checked(headers_for(KEYS, ID, NOW, BODY), now=NOW + (300 if late > 0 else -300)) == ID


def test_an_id_with_a_full_stop_is_refused_since_it_can_be_moved_into_the_time() -> None:
    assert checked(headers_for(KEYS, "a.1", NOW, BODY)) is None


@pytest.mark.parametrize("wrong", ["", "mysterious", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", f"whsec_{'A' * 200}"])
def test_a_secret_that_is_none_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(ValueError, match="secret") as refused:
        keys_in(wrong)
    assert not wrong.removeprefix("whsec_") or wrong not in str(refused.value)


# -- other services ----------------------------------------------------------------------------------------------


def test_stripe_signs_its_time_and_the_event_s_id_is_in_the_body() -> None:
    keys, body = keys_in("whsec_of_stripe", "stripe"), b'{"id": "evt_1", "type": "charge.succeeded"}'

    def signed(stamp: int, text: bytes = body) -> dict[str, str]:
        mac = hmac.new(b"whsec_of_stripe", f"{stamp}.".encode() + text, hashlib.sha256).hexdigest()
        return {"stripe-signature": f"t={stamp},v0=00,v1={mac}"}

    def found(headers: dict[str, str], text: bytes = body, now: float = NOW) -> str | None:
        return event_id_in("stripe", keys, headers, text, now, 300)

    assert found(signed(NOW)) == "evt_1"
    assert found(signed(NOW), body.replace(b"evt_1", b"evt_2")) is None
    assert found(signed(NOW), now=NOW + 301) is None
    assert found({"stripe-signature": signed(NOW)["stripe-signature"].replace(f"t={NOW}", f"t={NOW + 1}")}) is None
    assert found({}) is None
    for text in (b"[]", b"{}", b'{"id": 7}', b"nothing"):
        assert found(signed(NOW, text), text) is None


def test_an_old_delivery_of_github_is_the_same_event_whatever_its_headers_say() -> None:
    keys = keys_in("it is a secret", "github")
    one, another = b'{"action": "opened"}', b'{"action": "closed"}'

    def found(body: bytes, signed: bytes, scheme: Scheme = "github") -> str | None:
        headers = {
            "x-hub-signature-256": "sha256=" + hmac.new(b"it", signed, hashlib.sha256).hexdigest(),
            "x-github-delivery": json.dumps(str(signed)),
        }
        return event_id_in(scheme, keys, headers, body, NOW, 300)

    assert found(one, one) is not None
    assert found(one, one) != found(another, another)
    assert found(one, another) is None
    assert found(one, one, "standard") is None
