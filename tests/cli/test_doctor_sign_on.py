"""`stepfast doctor` asks the issuer of the settings, and says whether the page can sign in there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from stepfast.cli.doctor_sign_on import sign_on
from tests.http.issuing import TestIssuer, issuing


class _Documented(TestIssuer):
    """An issuer with more in its discovery document."""

    more: ClassVar[dict[str, Any]] = {}

    def answer(self, path: str) -> dict[str, Any] | None:
        document = super().answer(path)
        return {**document, **self.more} if document and path.startswith("/.well-known") else document


@pytest.mark.parametrize(
    ("more", "outcome", "said"),
    [
        ({}, "OK", "has 1 keys, and the page can sign in there"),
        ({"issuer": "https://elsewhere.example"}, "FAIL", "calls itself 'https://elsewhere.example'"),
        ({"token_endpoint": "https://tokens.example.com/t"}, "FAIL", "tokens at https://tokens.example.com"),
        ({"code_challenge_methods_supported": ["plain"]}, "FAIL", "no PKCE"),
        ({"token_endpoint": ""}, "FAIL", "no authorization and token endpoints"),
        ({"jwks_uri": "http://127.0.0.1:1/"}, "WARN", "cannot be read"),
        ({"jwks_uri": "http://keys.example.com/"}, "WARN", "cannot be read: ValueError"),
    ],
)
def test_the_issuer_is_asked_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], outcome: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(sign_on()) == []
    with issuing() as issuer:
        issuer.__class__ = _Documented
        ends = {"authorization_endpoint": f"{issuer.address}/a", "token_endpoint": f"{issuer.address}/t"}
        monkeypatch.setattr(_Documented, "more", {**ends, **more})
        lines = [f"{name} = {json.dumps(text)}" for name, text in _TABLE.items()]
        table = "\n".join([f'issuer = "{issuer.address}"', *lines, 'scopes = { operators = ["read"] }'])
        Path("pyproject.toml").write_text(f'[tool.stepfast]\nauth = "jwt"\n[tool.stepfast.jwt]\n{table}\n')
        (finding,) = sign_on()
    assert (finding.outcome, finding.check) == (outcome, "sign-on")
    assert said in finding.text


_TABLE = {"audience": "stepfast", "client_id": "the-page"}
