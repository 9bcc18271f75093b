"""The scheduled starts of a deployment as a file in its bundle, which the API reads to show and start them.

Their inputs may be of any size. Environment variables of a function, all together, may have 4 KB:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from stepfast.deployment.schedules import ScheduledStart
from stepfast.errors import StartupError

NAME = "stepfast_schedules.json"
_TOKEN = "${Token["
"""What the CDK writes in place of a value that it learns at the deployment."""


def file_text(starts: Iterable[ScheduledStart]) -> str:
    """The file, "" for no starts. A start with a value that only the deployment knows is left out."""
    texts = [json.dumps(asdict(start), sort_keys=True) for start in sorted(starts, key=lambda start: start.name)]
    texts_without_tokens = [text for text in texts if _TOKEN not in text]
    return "[" + ",\n".join(texts_without_tokens) + "]\n" if texts_without_tokens else ""


def starts_in(folder: str) -> list[ScheduledStart]:
    """The starts in the file of a bundle; none where it has no such file. Raises StartupError for another text."""
    path = Path(folder or ".") / NAME
    if not folder or not path.is_file():
        return []
    try:
        return [ScheduledStart(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise StartupError(f"{NAME} is not what a deployment writes: deploy again") from error
