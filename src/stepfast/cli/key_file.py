"""`stepfast key-file create`, `rotate` and `list`: the master keys that the embedded home encrypts with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson
from stepfast.errors import StartupError

app = typer.Typer(
    help="The key file of encryption on one machine: its keys wrap the data keys of executions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
InPath = Annotated[Path, typer.Argument(metavar="FILE", help="The key file, which only its owner may read.")]


@app.command("create")
def create(path: InPath, as_json: AsJson = False) -> None:
    """Make a key file with one key. It never replaces a file: what its keys have encrypted would be lost."""
    from stepfast.backends import key_file  # imported here: other commands do not need it

    try:
        name = key_file.create(path)
    except FileExistsError as error:
        raise StartupError(f"{path} is there already: `stepfast key-file rotate {path}` adds a key to it") from error
    except OSError as error:
        raise StartupError(f"cannot make {path}: {error.strerror or error}") from error
    _say(path, name, "made", as_json)
    if not as_json:
        printing.hint(f'set key_file = "{path}" in [tool.stepfast]; keep a copy of the file away from the database')


@app.command("rotate")
def rotate(path: InPath, as_json: AsJson = False) -> None:
    """Put a new key at the top. New executions use it; the older keys stay for those that they have encrypted."""
    from stepfast.backends import key_file

    try:
        name = key_file.rotate(path)
    except OSError as error:
        raise StartupError(f"cannot write {path}: {error.strerror or error}") from error
    _say(path, name, "put into", as_json)


@app.command("list")
def show(path: InPath, as_json: AsJson = False) -> None:
    """List the ids of the keys, newest first. The keys themselves are not shown."""
    from stepfast.backends.key_file import KeyFileMaster

    names = list(KeyFileMaster(path).keys())
    if as_json:
        return printing.print_json({"file": str(path), "keys": names})
    for name in names:
        printing.say(name)
    return None


def _say(path: Path, name: str, done: str, as_json: bool) -> None:
    if as_json:
        return printing.print_json({"file": str(path), "key": name})
    return printing.say(f"{path} is made, with the key {name}" if done == "made" else f"{path} has the new key {name}")
