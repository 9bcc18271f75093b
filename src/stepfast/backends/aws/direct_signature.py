"""Signs requests with AWS Signature Version 4, for the one kind of request that the direct clients send.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple


class Credentials(NamedTuple):
    """The credentials that Lambda puts into a function's environment. token: of a role's session; "" for none."""

    key_id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.key_id!r})"


class RequestSignature:
    """Signs POST requests to the path "/" of one service in one region. The derived key is kept for its day."""

    def __init__(self, credentials: Credentials, region: str, service: str) -> None:
        self._credentials, self._region, self._service = credentials, region, service
        self._derived = ("", b"")

    def headers(self, signed: Mapping[str, str], body: bytes, now: float) -> dict[str, str]:
        """The headers to send beside `signed`, whose names are in lower case. now: seconds since 1970."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        added = {"x-amz-date": stamp}
        if self._credentials.token:
            added["x-amz-security-token"] = self._credentials.token
        every = sorted({**signed, **added}.items())
        names = ";".join([name for name, _ in every])
        lines = "".join([f"{name}:{value}\n" for name, value in every])
        request = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key(stamp[:8]), text.encode(), "sha256").hex()
        added["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return added

    def _key(self, day: str) -> bytes:
        kept_day, key = self._derived
        if kept_day != day:
            key = f"AWS4{self._credentials.secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = (day, key)
        return key
