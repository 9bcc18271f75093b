"""Prints the API's own description: `python -m tests.typescript.openapi`."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stepfast import workflow
from tests.http.serving import Api


@workflow
async def nothing() -> None:
    return None


def description() -> dict[str, Any]:
    """/openapi.json of a server of this version."""
    with TemporaryDirectory() as folder:
        api = Api(Path(folder) / "empty.db", (nothing,))
        try:
            document: dict[str, Any] = api.get("/openapi.json")
            return document
        finally:
            api.close()


if __name__ == "__main__":
    print(json.dumps(description()))
