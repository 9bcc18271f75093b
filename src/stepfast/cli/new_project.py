"""`stepfast init`: a new project of one workflow and one test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.errors import Refused

PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["stepfast"]

[project.optional-dependencies]
dev = ["pytest"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
"""

WORKFLOW = '''\
"""A first workflow: greets everyone at once, and counts the greetings."""

import asyncio

from pydantic import BaseModel

from stepfast import Retry, step, workflow


class Guests(BaseModel):
    names: list[str]


@step(retry=Retry(max_attempts=5), timeout=30)
async def greet(name: str) -> str:
    """Steps do the work: I/O, calls of services. Each is recorded, and retried when it raises."""
    return f"Hello, {name}!"


@workflow("hello")
async def hello(guests: Guests) -> list[str]:
    """Greets all guests."""
    return list(await asyncio.gather(*(greet(name) for name in guests.names)))
'''

TEST = '''\
"""Outside stepfast a step is just a function, and a workflow just a coroutine."""

import asyncio

from workflows.hello import Guests, greet, hello


def test_a_guest_is_greeted_by_name() -> None:
    assert asyncio.run(greet("Ada")) == "Hello, Ada!"


def test_every_guest_is_greeted_in_order() -> None:
    assert asyncio.run(hello(Guests(names=["Ada", "Bob"]))) == ["Hello, Ada!", "Hello, Bob!"]
'''

README = """\
# {name}

    pip install -e '.[dev]'
    pytest
    stepfast dev

and in another terminal

    stepfast run hello '{{"names": ["Ada", "Bob"]}}' --wait

Workflows are in `workflows/`: each module or package there may define any number of them.
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    ".gitignore": ".stepfast/\n.venv/\n__pycache__/\n",
    "workflows/__init__.py": "",
    "workflows/hello.py": WORKFLOW,
    "tests/test_hello.py": TEST,
}
_TEMPLATES = frozenset({"pyproject.toml", "README.md"})


def init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Made when missing.")] = Path(),
) -> None:
    """Make a new project: one workflow, one test; overwrites nothing."""
    held = [name for name in FILES if (folder / name).exists()]
    if held:
        raise Refused(f"{folder / held[0]} is there already: choose a new folder, or move it away")
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "workflows"
    try:
        for path, text in FILES.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.format(name=name) if path in _TEMPLATES else text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot write to {folder}: {error.strerror or error}") from error
    printing.say(f"made {folder / 'workflows/hello.py'} and its test; begin with: cd {folder} && stepfast dev")
