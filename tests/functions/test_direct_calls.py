"""When a function calls DynamoDB and SQS directly, whom it trusts, and that botocore takes over where it may not."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from stepfast.backends.aws.direct_client import DirectClient
from stepfast.backends.aws.direct_connection import Address
from stepfast.backends.aws.direct_signature import Credentials
from stepfast.backends.aws.direct_terms import OBEYED, WITH_BOTOCORE, direct_terms
from stepfast.functions import direct_clients, entry
from stepfast.functions.clients import Clients

LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "stepfast-step",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_ACCESS_KEY_ID": "ASIA1",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-central-1",
}


def test_in_lambda_calls_are_direct() -> None:
    terms = direct_terms(LAMBDA, "eu-central-1")
    assert terms is not None
    assert terms.credentials == Credentials("ASIA1", "secret", "token")
    assert terms.addresses == {
        "dynamodb": Address("dynamodb.eu-central-1.amazonaws.com", 443, tls=True),
        "sqs": Address("sqs.eu-central-1.amazonaws.com", 443, tls=True),
    }


@pytest.mark.parametrize("variable", [*OBEYED, "https_proxy"])
def test_what_botocore_obeys_leaves_all_calls_to_it(variable: str) -> None:
    assert direct_terms({**LAMBDA, variable: "something"}, "eu-central-1") is None
    assert direct_terms({**LAMBDA, variable: ""}, "eu-central-1") is not None


@pytest.mark.parametrize(
    "changes",
    [
        {WITH_BOTOCORE: "botocore"},
        {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"},
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/path"},
        {"AWS_ENDPOINT_URL_SQS": "ftp://127.0.0.1"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:nothing"},
        {"AWS_ENDPOINT_URL": "http://user:password@127.0.0.1"},
    ],
    ids=str,
)
def test_what_a_direct_client_cannot_do_leaves_all_calls_to_botocore(changes: dict[str, str]) -> None:
    assert direct_terms({**LAMBDA, **changes}, "eu-central-1") is None


@pytest.mark.parametrize("region", [None, "", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1", "moon"])
def test_in_regions_with_other_addresses_calls_are_botocores(region: str | None) -> None:
    assert direct_terms(LAMBDA, region) is None


def test_an_endpoint_of_ones_own_is_called() -> None:
    urls = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/", "AWS_ENDPOINT_URL_SQS": "https://sqs.local"}
    terms = direct_terms({**LAMBDA, **urls}, "eu-central-1")
    assert terms is not None
    assert terms.addresses["dynamodb"] == Address("127.0.0.1", 4566, tls=False)
    assert (terms.addresses["sqs"].host, terms.addresses["dynamodb"].host) == ("sqs.local", "127.0.0.1:4566")


def test_outside_lambda_and_where_x_ray_traces_calls_are_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in OBEYED:
        monkeypatch.delenv(variable, raising=False)
    for name, value in {**LAMBDA, "POWERTOOLS_TRACE_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    assert entry._direct_terms(None) is not None
    monkeypatch.setattr(entry, "_tracing", lambda: True)
    assert entry._direct_terms("eu-central-1") is None
    monkeypatch.setattr(entry, "_tracing", lambda: False)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
    assert entry._direct_terms("eu-central-1") is None


def test_the_direct_clients_are_those_of_dynamodb_and_sqs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Noting(Clients):
        def _make(self, service: str) -> Any:
            made.append(service)
            return service

    clients = Noting("eu-central-1", direct=direct_terms(LAMBDA, "eu-central-1"))
    assert isinstance(clients.dynamodb, DirectClient)
    assert isinstance(clients.sqs, DirectClient)
    assert clients.dynamodb is clients.dynamodb
    assert made == []
    assert clients.s3 == "s3"
    assert clients._botocore("sqs") is clients._botocore("sqs")
    assert made == ["s3", "sqs"]


def test_aws_is_known_by_its_own_roots_and_others_by_those_of_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(context: ssl.SSLContext) -> set[str]:
        subjects = [dict(part[0] for part in each["subject"]) for each in context.get_ca_certs()]  # type: ignore[misc, union-attr, arg-type]
        return {subject.get("commonName", "") for subject in subjects}

    assert names(direct_clients.trust()) == set(direct_clients.ROOTS)
    assert len(names(direct_clients.trust(of_aws=False))) > 50
    monkeypatch.setattr(direct_clients, "ROOTS", (*direct_clients.ROOTS, "a root that is gone"))
    assert len(names(direct_clients.trust())) > 50, "all of them, where one of AWS's is missing"
    assert direct_clients.trust().verify_mode is ssl.CERT_REQUIRED
    assert direct_clients.trust().check_hostname
