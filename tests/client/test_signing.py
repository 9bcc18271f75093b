"""Requests signed for IAM, checked by what AWS's documentation says a signature is made of."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, quote

import httpx
import pytest
from typer.testing import CliRunner

from stepfast import Client
from stepfast.cli.app import app
from stepfast.client import NotAllowed
from stepfast.client.signing import Signature
from stepfast.errors import InvalidRequest, StartupError
from tests.loopback_servers import served_by

SECRET, TOKEN, REGION = "wJalrXUtnFEMI/K7MDENG", "of-a-role", "eu-central-1"


def signature_of(method: str, target: str, headers: dict[str, str], body: bytes, secret: str) -> str:
    """Signature Version 4 of a request as it came over the wire: docs.aws.amazon.com, "Create a signed request"."""
    path, _, query = target.partition("?")
    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=\w+/(\d{8})/([\w-]+)/execute-api/aws4_request, "
        r"SignedHeaders=([\w;-]+), Signature=[0-9a-f]{64}",
        headers["authorization"],
    )
    assert match, headers["authorization"]
    day, region, signed = match.groups()
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(signed.split(";"))

    def encoded(text: str) -> str:
        return quote(text, safe="-_.~")

    pairs = sorted((encoded(name), encoded(value)) for name, value in parse_qsl(query, keep_blank_values=True))
    canonical = [
        method,
        quote(path, safe="/-_.~"),
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{headers[name].strip()}" for name in signed.split(";")),
        "",
        signed,
        hashlib.sha256(body).hexdigest(),
    ]
    scope = f"{day}/{region}/execute-api/aws4_request"
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    return hmac.digest(key, text.encode(), "sha256").hex()


@dataclass
class Gateway:
    """An API that asks for IAM's signatures, and the targets of what it let in."""

    url: str = ""
    let_in: list[str] = field(default_factory=list)


EXECUTION: dict[str, object] = {
    "execution_id": "one",
    "workflow": "order",
    "status": "RUNNING",
    "input": None,
    "result": None,
    "error": None,
    "labels": {},
    "created_at": "2026-11-27T00:00:00Z",
    "ended_at": None,
    "generation": 0,
    "signal_id": "one",
    "name": "it",
}


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    answering = Gateway()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            right = signature_of(self.command, self.path, headers, body, SECRET)
            fits = headers["authorization"].endswith(f"Signature={right}")
            shown = EXECUTION if self.command == "POST" else {"executions": [], "next": None}
            answer = shown if fits else {"message": "Forbidden"}
            answering.let_in += [self.path] if fits else []
            self.send_response(200 if fits else 403)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    with served_by(Answering) as answering.url:
        yield answering


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


def test_whatever_is_asked_the_signature_fits_what_is_sent(gateway: Gateway) -> None:
    with Client(gateway.url, iam=True, retry_for=0) as client:
        client.list(
            since=datetime(2026, 11, 22, 15, 0, 7, tzinfo=UTC), labels={"team": "a b+c&d=é", "x": "~*'"}, limit=3
        )
        client.list()
        client.run("order", {"text": "ä\n"}, "id-1")
        client.execution("id.1_-").signal("it.is-up", {"by": "bob"}, "s-1")
    assert len(gateway.let_in) == 4
    assert "%3A" in gateway.let_in[0]


def test_another_secret_is_refused(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with Client(gateway.url, iam=True, retry_for=0) as client, pytest.raises(NotAllowed):
        client.list()


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("a1b2c3d4e5.execute-api.ap-southeast-2.amazonaws.com", "ap-southeast-2"),
        ("a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("flows.example.com", REGION),
    ],
)
def test_the_region_is_that_of_the_api(host: str, region: str) -> None:
    signed = next(Signature(host).auth_flow(httpx.Request("GET", f"https://{host}/v1/executions")))
    assert f"/{region}/execute-api/aws4_request" in signed.headers["Authorization"]


def test_without_credentials_or_a_region_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(StartupError, match="no AWS region"):
        Client("https://flows.example.com", iam=True)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(StartupError, match="no AWS credentials"):
        Client("https://x.execute-api.eu-central-1.amazonaws.com", iam=True)


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(StartupError, match=r"pip install 'stepfast\[aws\]'"):
        Client("https://flows.example.com", iam=True)


def test_a_key_and_a_signature_exclude_each_other() -> None:
    with pytest.raises(InvalidRequest, match="give one of them"):
        Client("https://flows.example.com", "sf_key", iam=True)


@pytest.mark.parametrize("arguments", [("--iam", "list"), ("list", "--iam")])
def test_the_command_line_signs_where_it_is_told_to(gateway: Gateway, arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*arguments, "--url", gateway.url], env={"STEPFAST_API_KEY": None})
    assert (done.exit_code, len(gateway.let_in)) == (0, 1), done.output
