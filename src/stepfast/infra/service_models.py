"""Leaves the models of AWS services that nothing in a bundle calls out of it: they are half of its size.

botocore brings the models of 400 services, as files of its folder `data`. stepfast's functions call a few of them. All
models stay where the project or one of its packages may call others: where any of their sources mentions boto3 or
botocore, or Powertools, whose utilities call services too. Parts of Powertools that no function uses go with the
models.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

CALLED = frozenset({"dynamodb", "events", "kms", "s3", "scheduler", "secretsmanager", "sqs", "ssm", "sts"})
"""The services that stepfast's functions call, and `sts`, which gives out credentials."""
_OWN = frozenset({"aws_lambda_powertools", "boto3", "botocore", "s3transfer", "stepfast", "urllib3"})
"""Packages whose mentions of boto3 do not count: what of them stepfast uses calls no other service."""
_MENTIONED = re.compile(rb"\b(?:aio)?(?:boto3|botocore)\b")
_POWERTOOLS = re.compile(rb"\baws_lambda_powertools\b")
_BY_PROJECT = re.compile(rb"\b(?:aio)?(?:boto3|botocore)\b|\baws_lambda_powertools\b")
_DATA = ("boto3/data", "botocore/data")
_UTILITIES = "aws_lambda_powertools/utilities"
UNUSED = (
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui-bundle.min.js",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui.min.css",
    *(f"{_UTILITIES}/{name}" for name in ("auth_alpha", "batch", "circuit_breaker", "data_masking", "feature_flags")),
    *(f"{_UTILITIES}/{name}" for name in ("idempotency", "kafka", "parser", "streaming")),
)
"""Files and folders of Powertools (3.37) that none of stepfast's functions imports or reads."""


def leave_out(folder: Path, project: Iterable[str]) -> bool:
    """Removes the models that nothing calls from a bundle; False where all of them stay. UNUSED goes with them.

    UNUSED stays where a package mentions Powertools.

    project: the project's own files and folders in the bundle, by their names.
    """
    own = [folder / name for name in project]
    if any(_mentions(path, _BY_PROJECT) for path in own):
        return False
    packages = [path for path in folder.iterdir() if path.stem not in _OWN and path not in own]
    if any(_mentions(path, _MENTIONED) for path in packages):
        return False
    for data in _DATA:
        for path in sorted((folder / data).glob("*")):
            if path.is_dir() and path.name not in CALLED:
                shutil.rmtree(path)
    for name in () if any(_mentions(path, _POWERTOOLS) for path in packages) else UNUSED:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    return True


def _mentions(path: Path, pattern: re.Pattern[bytes]) -> bool:
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.suffix == ".py" and path.is_file() else []
    return any(pattern.search(file.read_bytes()) for file in files)
