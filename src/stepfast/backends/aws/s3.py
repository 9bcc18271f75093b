"""Values that are too large for the table: in a bucket, named by their execution and their content.

A blob never changes, so it may be put any number of times and kept in memory. Executions share none, so that one can
be deleted with all of its values; version 0.1 named values by their content alone, and those are never deleted. A
bucket's lifecycle rule must not delete what is younger than the retention and the longest execution together.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from botocore.exceptions import ClientError

from stepfast.backends.aws.clients import LazyClient
from stepfast.backends.aws.errors import Misconfigured, code_of, translated
from stepfast.errors import Unavailable

PREFIX = "x"
"""What the keys of all executions' values begin with."""
OLD_PREFIX = "sha256"
"""What the keys of values begin with that version 0.1 put."""


class Blobs(Protocol):
    """A port: where a store puts values that are too large for its items. Every method may raise Unavailable."""

    def put(self, execution_id: str, data: bytes) -> str:
        """Stores bytes of an execution durably and returns their key."""

    def get(self, key: str) -> bytes:
        """The bytes of a key that `put` gave, and no others."""

    def discard(self, key: str) -> None:
        """Deletes the bytes of a key that nothing refers to, or ever will."""

    def delete(self, execution_id: str) -> None:
        """Deletes all bytes that were put for an execution."""


class S3Blobs:
    """Blobs as objects `x/<execution id>/<SHA-256 in hex>`, and those of version 0.1 as `sha256/<SHA-256 in hex>`.

    client: an S3 client, or a function that makes one when the first blob is put or read.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = LazyClient(client), bucket
        self._resource = f"the bucket {bucket!r}"

    def put(self, execution_id: str, data: bytes) -> str:
        key = f"{PREFIX}/{execution_id}/{hashlib.sha256(data).hexdigest()}"
        with self._translated():
            self._client().put_object(Bucket=self._bucket, Key=key, Body=data)
        return key

    def get(self, key: str) -> bytes:
        """The bytes; Misconfigured when the object is gone or is not what was put."""
        with self._translated():
            try:
                data: bytes = self._client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    raise self._lost(f"has lost the value {key}") from error
                # S3 answers 403 for a missing object as well, unless the role has s3:ListBucket ("GetObject").
                if code_of(error) == "AccessDenied":
                    raise self._lost(
                        f"does not give the value {key}: the role may not read it, or it is gone"
                    ) from error
                raise
        if hashlib.sha256(data).hexdigest() != key.rpartition("/")[2]:
            raise self._lost(f"holds another value than was put under {key}")
        return data

    def discard(self, key: str) -> None:
        with self._translated():
            self._client().delete_object(Bucket=self._bucket, Key=key)

    def delete(self, execution_id: str) -> None:
        pages = {"Bucket": self._bucket, "Prefix": f"{PREFIX}/{execution_id}/"}
        with self._translated():
            # A page of ListObjectsV2 has 1,000 keys at most, which is as many as DeleteObjects takes.
            while page := self._client().list_objects_v2(**pages).get("Contents"):
                keys = [{"Key": blob["Key"]} for blob in page]
                answer = self._client().delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
                if errors := answer.get("Errors"):
                    raise Unavailable(f"{self._resource} did not delete a value: {errors[0].get('Code')}")

    def _translated(self) -> Any:
        return translated(
            self._resource,
            "look at STEPFAST_BUCKET and the role's s3:GetObject and s3:PutObject, and where values are deleted "
            "s3:ListBucket and s3:DeleteObject",
        )

    def _lost(self, how: str) -> Misconfigured:
        return Misconfigured(
            f"{self._resource} {how}: look for a lifecycle rule or a person who deletes objects; "
            "what needs the value goes on once it is there again"
        )
