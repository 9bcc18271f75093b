"""Values that are too large for the table: in a bucket, named by their content.

A blob never changes, so it may be put any number of times and kept in memory; equal values share one. A bucket's
lifecycle rule must not delete what is younger than the retention and the longest execution together.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from botocore.exceptions import ClientError

from stepfast.backends.aws_clients import Client
from stepfast.backends.aws_errors import Misconfigured, code_of, translated


class Blobs(Protocol):
    """Bytes by their content; every method may raise Unavailable."""

    def put(self, data: bytes) -> str:
        """Stores the bytes durably and returns their key."""

    def get(self, key: str) -> bytes:
        """The bytes of a key that `put` gave, and no others."""


class S3Blobs:
    """Blobs as objects `sha256/<hex digest>`.

    client: an S3 client, or a function that makes one when the first blob is put or read.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = Client(client), bucket
        self._what = f"the bucket {bucket!r}"

    def put(self, data: bytes) -> str:
        key = f"sha256/{hashlib.sha256(data).hexdigest()}"
        with self._told():
            self._client().put_object(Bucket=self._bucket, Key=key, Body=data)
        return key

    def get(self, key: str) -> bytes:
        """The bytes; Misconfigured when the object is gone or is not what was put."""
        with self._told():
            try:
                data: bytes = self._client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    raise self._lost(f"has lost the value {key}") from error
                if code_of(error) == "AccessDenied":  # also for a missing object, unless the role may list
                    raise self._lost(
                        f"does not give the value {key}: the role may not read it, or it is gone"
                    ) from error
                raise
        if f"sha256/{hashlib.sha256(data).hexdigest()}" != key:
            raise self._lost(f"holds another value than was put under {key}")
        return data

    def _told(self) -> Any:
        return translated(self._what, "look at STEPFAST_BUCKET and the role's s3:GetObject and s3:PutObject")

    def _lost(self, how: str) -> Misconfigured:
        return Misconfigured(
            f"{self._what} {how}: look for a lifecycle rule or a person who deletes objects; "
            "what needs the value goes on once it is there again"
        )
