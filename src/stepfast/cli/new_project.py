"""`stepfast init`: a new project of one workflow and one test, which runs here and deploys to AWS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.errors import Refused, StartupError

PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["stepfast"]

[project.optional-dependencies]
dev = ["pytest"]
deploy = ["stepfast[aws,deploy]"]

# The folders are used where they are: installing the project installs what it depends on.
[tool.setuptools]
packages = []

[tool.stepfast]
retention_days = 90
# alarm_email = "you@example.com"

[tool.stepfast.pools.default]
memory = 256
# max_concurrency = 10

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

## What is deployed is pinned

`constraints.txt` names every package of the Lambda bundles by version and hash, and nothing else is taken. After
a change of `dependencies` in pyproject.toml, and to take newer versions, make it anew, look at it, and commit it:

    pip install -e '.[deploy]'
    python -m stepfast.infra.lock

## Deploying to AWS

    pip install -e '.[deploy]'
    python -m stepfast.infra.cdk bootstrap      # once per account and region
    python -m stepfast.infra.cdk deploy

prints the API's address and the table's name. Make a key with
`stepfast keys create me --scope read --scope run --scope operate --table TABLE`, set `STEPFAST_URL` and
`STEPFAST_API_KEY`, and `stepfast run` works as above. Settings are in pyproject.toml under `[tool.stepfast]`.
"""

APP = '''\
"""What `cdk deploy` deploys: the workflows of this project."""

from pathlib import Path

from stepfast.infra import synth

synth(Path(__file__).parents[1], name="{name}")
'''

CDK = """\
{
  "app": "python infra/app.py",
  "versionReporting": false
}
"""

CONSTRAINTS = "constraints.txt"
PATIENCE = 20.0
"""Seconds that looking for the newest versions may take."""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    ".gitignore": ".stepfast/\n.venv/\n__pycache__/\n*.egg-info/\ncdk.out/\n",
    "cdk.json": CDK,
    "infra/app.py": APP,
    "workflows/__init__.py": "",
    "workflows/hello.py": WORKFLOW,
    "tests/test_hello.py": TEST,
}
_TEMPLATES = frozenset({"pyproject.toml", "README.md", "infra/app.py"})


def init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Made when missing.")] = Path(),
) -> None:
    """Make a new project: one workflow, one test, pinned packages; overwrites nothing."""
    # The name of the stack too, which begins with a letter.
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).lstrip("-0123456789").rstrip("-") or "workflows"
    texts = {path: text.format(name=name) if path in _TEMPLATES else text for path, text in FILES.items()}
    _check_free(folder, [*texts, CONSTRAINTS])
    try:
        for path, text in texts.items():
            _write(folder / path, text)
        pinned, note = _constraints(folder)
        _write(folder / CONSTRAINTS, pinned)
    except OSError as error:
        raise Refused(f"cannot write to {folder}: {error.strerror or error}") from error
    printing.say(f"made {folder / 'workflows/hello.py'} and its test; begin with: cd {folder} && stepfast dev")
    if note:
        printing.hint(note)


def _check_free(folder: Path, paths: list[str]) -> None:
    """Refused for what is there already, and for links: what they lead to is not this project's."""
    for path in paths:
        for place in (folder / path, *(folder / parent for parent in Path(path).parents if parent != Path())):
            if place.is_symlink():
                raise Refused(f"{place} is a link: choose a new folder, or move it away")
        if (folder / path).exists():
            raise Refused(f"{folder / path} is there already: choose a new folder, or move it away")


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # "x" follows no link, also not one that was put there since.
    with target.open("x", encoding="utf-8") as file:
        file.write(text)


def _constraints(folder: Path) -> tuple[str, str]:
    """The versions and hashes of today, or those that this stepfast was tested with; and what to say of it."""
    from stepfast.infra import lock

    try:
        return lock.locked(folder, patience=PATIENCE), ""
    except StartupError:
        advice = f"for the newest, with uv and an index at hand: {lock.COMMAND}"
        return lock.shipped(), f"{CONSTRAINTS} has the versions that this stepfast was tested with; {advice}"
