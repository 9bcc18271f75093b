"""A Lambda function of others as an external step, under IAM: a failure, a silence, heartbeats, and the answer."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.e2e.conftest import Deployed
from tests.e2e.emulator import ACCOUNT, python_of_functions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
NAME = "rates-of-others"
SECONDS_OF_WORK = 7.0
"""Longer than the step's heartbeat of 4 seconds: only heartbeats keep it from being started again."""
# It knows nothing of stepfast: an event comes in, and HTTP requests to the link go out.
CODE = """
import json, os, time, urllib.request

def report(link, **what):
    url = link.replace(os.environ["SHOWN"], os.environ["REACHED"])
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(what).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status

def handler(event, context):
    with open(os.environ["LOG"], "a") as log:
        log.write(json.dumps({name: event[name] for name in event if name != "link"}) + "\\n")
    link = event["link"]
    if event["attempt"] == 1:
        report(link, failure={"type": "MarketClosed", "message": "come back later"})
    elif event["attempt"] == 3:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            report(link, heartbeat={"rates": 1})
            time.sleep(1)
        report(link, answer=1.25)
"""


def test_a_function_of_others_fails_falls_silent_and_answers(deployed: Deployed) -> None:
    emulator, log = deployed.emulator, deployed.world / "rates.log"
    iam, functions = emulator.client("iam"), emulator.client("lambda")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=policy)  # It may do nothing: a link needs no rights.
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rates.py", CODE.replace("SECONDS", str(SECONDS_OF_WORK)))
    shown = deployed.outputs["ApiUrl"].rstrip("/")
    variables = {
        "LOG": str(log),
        "SHOWN": shown,
        "REACHED": emulator.api_url(deployed.outputs),
        "SSL_CERT_FILE": emulator.certificate,
    }
    functions.create_function(
        FunctionName=NAME,
        Runtime=f"python{python_of_functions()}",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{NAME}",
        Handler="rates.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=60,
        Environment={"Variables": variables},
    )
    started = deployed.start("rate", "EUR", "rate-1")
    assert started.status_code == 201, started.text
    ended = deployed.wait("rate-1")
    assert (ended["status"], ended["result"]) == ("SUCCEEDED", 1.25), ended["error"]
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert [call["attempt"] for call in calls] == [1, 2, 3]
    assert {call["idempotency_key"] for call in calls} == {calls[0]["idempotency_key"]}
    assert calls[0]["arguments"] == {"currency": "EUR"}
    assert calls[0]["heartbeat"] == 4
