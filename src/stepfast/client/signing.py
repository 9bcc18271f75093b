"""Requests signed with AWS credentials, for an API that is deployed with `auth = "iam"`."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import httpx

from stepfast.errors import StartupError

_HOST = re.compile(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?\Z")
_SIGNED = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


class Signature(httpx.Auth):
    """Signs each request with Signature Version 4 and the credentials that botocore finds.

    The region is taken from the API's host name. An API behind a custom domain takes it from AWS_REGION or from the
    profile. Raises StartupError when boto3 is missing, or when there are no credentials or no region.
    """

    requires_request_body = True

    def __init__(self, host: str) -> None:
        session = _session()
        match = _HOST.search(host)
        configured = os.environ.get("AWS_REGION") or session.get_config_variable("region")
        self._region = match[1] if match else configured
        if not self._region:
            raise StartupError("no AWS region to sign requests for: set AWS_REGION or a profile")
        self._credentials = session.get_credentials()
        if self._credentials is None:
            raise StartupError("no AWS credentials to sign requests with: set a profile, as for the AWS command line")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        # API Gateway decodes the query and encodes it again before it checks the signature. A query in another
        # encoding would not match what was signed, so the query is sent in the canonical form of
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
        pairs = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        request.url = request.url.copy_with(query=urlencode(pairs, quote_via=quote, safe="-_.~").encode() or None)
        headers = {"host": request.headers["host"]}
        aws_request = AWSRequest(request.method, str(request.url), headers=headers, data=request.content)
        # botocore may renew a role's credentials between two reads. A frozen copy keeps the access key, the secret and
        # the session token of one renewal together.
        SigV4Auth(self._credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(aws_request)
        for name in _SIGNED:
            if name in aws_request.headers:
                request.headers[name] = aws_request.headers[name]
        yield request


def _session() -> Any:
    try:
        from botocore.session import Session
    except ImportError as error:
        raise StartupError("signing requests needs boto3: pip install 'stepfast[aws]'") from error
    return Session()
