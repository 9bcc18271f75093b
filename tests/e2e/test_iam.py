"""A deployment without keys: whoever AWS knows and the account lets in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from stepfast.client.signing import Signature
from tests.e2e.conftest import Deployed
from tests.e2e.new_projects import new_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_with_iam_a_signature_opens_what_its_policy_says(
    deployed: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, folder = deployed.emulator, new_project(tmp_path / "signed")
    settings = folder / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.stepfast]", '[tool.stepfast]\nauth = "iam"'))
    outputs = emulator.deploy("signed", folder)
    for name, value in emulator.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)

    def signing() -> httpx.Client:
        http = emulator.http(outputs)
        http.auth = Signature("localhost")
        return http

    with signing() as http:
        signed = replace(deployed, outputs=outputs, http=http)
        assert signed.run("hello", {"names": ["Ada"]}, "hello-1")["result"] == ["Hello, Ada!"]

    with emulator.http(outputs) as http:
        assert http.get("/v1/executions").status_code in (401, 403)
        # Nor does a key open anything, although it works for the other deployment.
        headers = {"Authorization": f"Bearer {deployed.key()}"}
        assert http.get("/v1/executions", headers=headers).status_code in (401, 403)

    # The policy of docs/deploy.md.
    reads = "arn:aws:execute-api:*:*:*/$default/GET/v1/*"
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": reads}
    iam = emulator.client("iam")
    iam.create_user(UserName="reader")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    with signing() as http:
        found = http.get("/v1/executions", params={"since": "2026-01-01T00:00:00+00:00"}).raise_for_status().json()
        assert [one["execution_id"] for one in found["executions"]] == ["hello-1"]
        start = {"input": {"names": ["Bob"]}, "execution_id": "hello-2"}
        assert http.post("/v1/workflows/hello/executions", json=start).status_code == 403
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    with signing() as http:
        assert http.get("/v1/executions").status_code == 403
    emulator.destroy("signed", folder)
