"""Files of items for `map_items`: on a disk, and in S3 as s3://bucket/key."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

from stepfast.engine.item_files import FileState, changed
from stepfast.errors import GiveUp, Unavailable


class DiskAndBucketFiles:
    """The port ItemFiles. s3: makes an S3 client when a first s3:// path is read; by default from the environment."""

    def __init__(self, s3: Callable[[], Any] | None = None) -> None:
        self._make_client, self._client = s3 or _default_client, None

    def state(self, path: str) -> FileState:
        if path.startswith("s3://"):
            bucket, key = _place(path)
            head = self._ask(path, lambda: self._s3.head_object(Bucket=bucket, Key=key))
            return FileState(head["ContentLength"], head["ETag"])
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:  # ValueError is for a path with a NUL character
            raise _unreadable(path, str(getattr(error, "strerror", None) or error)) from error
        if not stat.S_ISREG(status.st_mode):  # the size of a pipe is 0, so it would pass for a file without items
            raise _unreadable(path, "It is a folder" if stat.S_ISDIR(status.st_mode) else "It is not a regular file")
        return FileState(status.st_size, f"{status.st_size}-{status.st_mtime_ns}")

    def read(self, path: str, start: int, length: int, version: str) -> bytes:
        if path.startswith("s3://"):
            bucket, key = _place(path)
            part = {"Range": f"bytes={start}-{start + length - 1}", "IfMatch": version}
            body = self._ask(path, lambda: self._s3.get_object(Bucket=bucket, Key=key, **part)["Body"].read())
            return bytes(body)
        if self.state(path).version != version:
            raise changed(path)
        try:
            with open(path, "rb") as file:
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error

    @property
    def _s3(self) -> Any:
        if self._client is None:
            self._client = self._make_client()
        return self._client

    def _ask(self, path: str, ask: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            return ask()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("PreconditionFailed", "412"):
                raise changed(path) from error
            if code in ("NoSuchKey", "NoSuchBucket", "404", "AccessDenied", "403"):
                raise GiveUp(
                    f"{path} cannot be read: it does not exist, or the role lacks s3:GetObject on it (S3 says {code})"
                ) from error
            raise Unavailable(f"{path} cannot be read for now: {error}") from error
        except ParamValidationError as error:
            raise GiveUp(f"{path} names no file in S3: {error}; write it as s3://bucket/key") from error
        except BotoCoreError as error:
            raise Unavailable(f"{path} cannot be read for now: {error}") from error


def _default_client() -> Any:
    try:
        import boto3
    except ImportError as error:
        raise GiveUp("s3:// paths need boto3: install stepfast[aws]") from error
    return boto3.client("s3")


def _place(path: str) -> tuple[str, str]:
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return bucket, key


def _unreadable(path: str, reason: str) -> GiveUp:
    advice = "the path is looked up where the steps run; in a deployment on AWS, name the file as s3://bucket/key"
    return GiveUp(f"{path} cannot be read: {reason}; {advice}")
