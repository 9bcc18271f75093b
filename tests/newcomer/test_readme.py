"""What the README shows is so: its workflow runs, its commands exist, its files are there."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stepfast.cli.app import app
from stepfast.testing import Environment

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_program_of_the_first_screen_has_its_result_whenever_the_process_dies() -> None:
    code, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip() and not line.startswith(("#", "@"))]) <= 10
    scope: dict[str, Any] = {"__name__": "readme_order"}
    exec(compile(code, "order.py", "exec"), scope)
    with Environment(scope["order"]) as env:
        assert env.run(scope["order"], "A-1").result == "receipt of A-1, shipped"
        points = env.points
    calls = []
    for number in range(len(points)):
        with Environment(scope["order"]) as env:
            env.crash(at=number)
            run = env.run(scope["order"], "A-1")
            assert run.result == "receipt of A-1, shipped"
            calls.append(len(run.calls(scope["charge"])))
    assert {*calls} == {1, 2}  # twice where the process dies after the step and before its result is recorded
    assert calls[-1] == 1


def test_the_first_screen_is_a_program_then_a_crash_then_the_picture() -> None:
    screen = README.split("\n## ")[0]
    places = [
        screen.index(text) for text in ("pip install", "async def order", "kill -9", "receipt of A-1, shipped", "![")
    ]
    assert places == sorted(places)
    assert screen[: places[-1]].count("\n") < 45


def test_the_comparison_is_that_of_the_page_with_the_sources() -> None:
    def rows(text: str) -> dict[str, list[str]]:
        table = re.findall(r"^\| ([^|]+) \|(.*)\|$", text, re.MULTILINE)
        return {name: [re.sub(r" \[\d+\]", "", cell).strip() for cell in cells.split("|")] for name, cells in table}

    page = (ROOT / "docs/comparison.md").read_text()
    shown, sourced = rows(README.split("## How it compares")[1]), rows(page)
    assert len(shown) > 10
    assert {name: sourced.get(name) for name in shown} == shown
    table, sources = page.split("## Sources")
    assert {*re.findall(r"\[(\d+)\]", table)} == {*re.findall(r"^(\d+)\. ", sources, re.MULTILINE)}


def test_the_readme_says_of_what_stepfast_lacks_what_the_page_says() -> None:
    page = " ".join((ROOT / "docs/comparison.md").read_text().split())
    (lacks,) = re.findall(r"\*\*What stepfast lacks\.\*\* (.*?) \[migrating", page)
    first, *said = re.split(r"(?<=\.) ", " ".join(README.rstrip().rsplit("\n\n", 1)[1].split()))
    assert first == "stepfast is young."
    assert len(said) > 3
    assert [sentence for sentence in said if sentence not in lacks] == []


@pytest.mark.parametrize(
    ("row", "command"),
    [
        ("pause a running execution", "pause"),
        ("delete an execution", "delete"),
        ("encrypted with a key of yours", "key-file"),
        ("limits by key", "limits"),
        ("export of all data", "export"),
    ],
)
def test_the_comparison_does_not_say_that_a_command_of_stepfast_is_lacking(row: str, command: str) -> None:
    page = (ROOT / "docs/comparison.md").read_text()
    (cells,) = re.findall(rf"^\| {row} \|(.*)\|$", page, re.MULTILINE)
    (lacks,) = re.findall(r"\*\*What stepfast lacks\.\*\*(.*?)\n\n", page, re.DOTALL)
    commands = [*(each.name for each in app.registered_commands), *(each.name for each in app.registered_groups)]
    assert command in commands
    assert cells.split("|")[-1].strip() != "–"
    assert command.removesuffix("s") not in lacks


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    _, code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.splitlines()) < 40
    (tmp_path / "readme_welcome.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    import readme_welcome  # type: ignore[import-not-found]

    yield readme_welcome
    del sys.modules["readme_welcome"]


def test_the_first_workflow_takes_the_answer_that_comes(example: Any) -> None:
    with Environment(example.welcome) as env:
        env.fake(example.send_mail, None)
        env.at(timedelta(days=2)).signal("answered", "hi", execution="ann")
        run = env.run(example.welcome, {"email": "ann@example.com"}, execution_id="ann")
        assert (run.status, run.result) == ("SUCCEEDED", "hi")
        (mail,) = run.calls(example.send_mail)
        assert mail.input["account"].startswith("account-")


def test_the_first_workflow_asks_again_when_nobody_answers(example: Any) -> None:
    with Environment(example.welcome) as env:
        env.fail(example.send_mail, times=3, error=FileNotFoundError("outbox"))
        env.fake(example.send_mail, None)
        run = env.run(example.welcome, {"email": "ann@example.com"})
        assert run.result == "silent"
        assert [call.attempt for call in run.calls(example.send_mail)] == [1, 2, 3, 4, 1, 1]


def test_the_files_and_commands_it_names_exist() -> None:
    for link in re.findall(r"\]\((docs/[^)]*)\)", README):
        assert (ROOT / link).exists(), link
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile
    shell = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    commands = set(re.findall(r"^stepfast ([a-z-]+)", shell, re.MULTILINE))
    assert commands == {"init", "dev", "run", "show", "signal", "dead-letters", "resume", "watch"}
    known = {one.name for one in app.registered_commands} | {one.name for one in app.registered_groups}
    assert commands <= known | {one.callback.__name__ for one in app.registered_commands if one.callback}
