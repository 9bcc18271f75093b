"""Who signs on at an issuer and comes to a deployment: the real authorizer fetches the issuer's keys, under IAM."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Guarded
from tests.http.forging import ATTACKS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
START = "/v1/workflows/hello/executions"


def ask(guarded: Guarded, token: str, method: str, path: str, body: Any = None) -> httpx.Response:
    with guarded.emulator.http(guarded.outputs, token) as http:
        return http.request(method, path, json=body)


def test_who_signs_on_may_do_what_their_groups_may(guarded: Guarded) -> None:
    people = guarded.issuer
    body = {"execution_id": "signed-on", "input": {"names": ["Ada"]}}
    started = ask(guarded, people.token(), "POST", START, body)
    assert started.status_code == 201, started.text
    guarded.wait("signed-on")
    shown = ask(guarded, people.token(), "GET", "/v1/executions/signed-on").json()
    assert shown["result"] == ["Hello, Ada!"]
    looked = ask(guarded, people.token(groups=["support"]), "GET", "/v1/executions/signed-on")
    assert (looked.status_code, looked.json()["result"]) == (200, [])  # values are withheld
    assert ask(guarded, people.token(groups=["support"]), "POST", START, body).status_code == 403
    assert ask(guarded, people.token(groups=["else"]), "GET", "/v1/executions").status_code == 403


def test_no_forged_token_lets_anybody_in(guarded: Guarded) -> None:
    for attack, forge in ATTACKS.items():
        answer = ask(guarded, forge(guarded.issuer), "POST", START, {"execution_id": "forged"})
        assert answer.status_code in (401, 403), (attack, answer.text)
    assert guarded.http.get("/v1/executions/forged").status_code == 404


def test_what_somebody_does_bears_their_name(guarded: Guarded) -> None:
    assert guarded.run("hello", {"names": []}, "erased")["status"] == "SUCCEEDED"
    assert ask(guarded, guarded.issuer.token(), "DELETE", "/v1/executions/erased").status_code == 200
    (line,) = guarded.http.get("/v1/audit?execution_id=erased").json()["lines"]
    assert (line["by"], line["action"]) == ("ada@example.com", "delete")
