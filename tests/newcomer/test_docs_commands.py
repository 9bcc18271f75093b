"""Every `stepfast …` command that README and docs show exists, with each option that is named beside it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from stepfast.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(text: str) -> Iterator[str]:
    """Lines of `sh` blocks and spans of code that begin with `stepfast`, without comments."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            for part in re.split(r"&&|\$\(|\)", re.sub(r"\s#.*", "", line)):
                if part.strip().startswith("stepfast "):
                    yield part.strip()
    yield from re.findall(r"`(stepfast [a-z][^`|…]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def unknown(line: str) -> str | None:
    """What of a command the command line does not have; None where it has all of it."""
    command: Any = typer.main.get_command(app)  # of the click that typer brings, which may be its own copy
    for word in shlex.split(line.replace("[", " ").replace("]", " "))[1:]:
        if word.startswith("-"):
            options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
            if word.partition("=")[0] not in options | {"--help"}:
                return word
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return word
            command = command.commands[word]
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(page: Path) -> None:
    wrong = {line: word for line in commands(page.read_text()) if (word := unknown(line)) is not None}
    assert not wrong


def test_the_pages_show_commands_and_a_wrong_one_is_noticed() -> None:
    shown = [line for page in PAGES for line in commands(page.read_text())]
    assert len(shown) > 20, shown
    assert unknown("stepfast list --status FAILED") is None
    assert unknown("stepfast liszt") == "liszt"
    assert unknown("stepfast dead-letters replay --rat 1") == "--rat"
