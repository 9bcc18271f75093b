"""What authors' modules load: an import of stepfast takes nothing that only a running engine needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

AUTHORS = "from pydantic import BaseModel, TypeAdapter; from stepfast import Retry, Limit, step, workflow"
DEFINED = f"""{AUTHORS}
@step(retry=Retry(max_attempts=2), limits=[Limit("rows", concurrency=3)])
def doubled(number: int) -> int:
    return 2 * number
@workflow("light")
async def light(number: int) -> int:
    return await doubled(number)
assert doubled(4) == 8
"""
MODULES = "import json, sys; print(json.dumps(sorted(sys.modules)))"
NEVER = {
    "asyncio",
    "concurrent.futures",
    "http",
    "logging",
    "random",
    "socket",
    "sqlite3",
    "ssl",
    "stepfast.backends",
    "stepfast.cli",
    "stepfast.client",
    "stepfast.engine",
    "stepfast.local",
    "stepfast.model",
    "stepfast.replay",
    "subprocess",
    "tomllib",
    "uuid",
}
"""Modules that take milliseconds. Those that pydantic itself loads do not count."""


def loaded(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", f"{program}\n{MODULES}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("program", [AUTHORS, DEFINED], ids=["imported", "defined and called"])
def test_authors_modules_load_nothing_of_the_engine(program: str) -> None:
    assert loaded(program) & (NEVER - loaded("from pydantic import BaseModel, TypeAdapter")) == set()
