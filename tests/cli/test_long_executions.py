"""Clients and the command line on executions with many commands: first pages, all pages, and what comes first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stepfast import AsyncClient, Client, Retry, step, workflow
from stepfast.cli import folding
from stepfast.cli.app import app
from stepfast.http import parts
from tests.http.serving import Api, served


@step
def fetch(number: int) -> int:
    return number


@step(retry=Retry(max_attempts=1))
def declined(number: int) -> None:
    raise ConnectionError("no")


@workflow("failing")
async def failing(count: int) -> None:
    await asyncio.gather(*(fetch(number) for number in range(count)), declined(1))


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(parts, "FEW", 20)
    monkeypatch.setattr(parts, "MANY", 20)
    monkeypatch.setattr(parts, "FIRST_PAGE_COMMANDS", 10)
    monkeypatch.setattr(folding, "ALIKE", {"SUCCEEDED": 1000})
    api = Api(tmp_path / "long.db", (failing,), (fetch, declined))
    with served(api.handler) as url:
        api.start("failing", 60)
        api.ends("FAILED")
        yield url
    api.close()


IDS = sorted(["declined", "fetch", *(f"fetch#{number}" for number in range(2, 61))])


def shown(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["--url", url, "show", "one", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.startswith(("fetch", "declined"))]


def test_a_client_has_the_first_page_and_all_pages(url: str) -> None:
    with Client(url) as client:
        handle = client.execution("one")
        described = handle.describe()
        assert [described["partial"], len(described["commands"])] == [True, 10]
        assert [command["id"] for command in described["notable"]] == ["declined"]
        assert len(handle.describe(limit=3, largest=0)["commands"]) == 3
        following = handle.commands(limit=20, cursor=described["next"])
        assert [command["id"] for command in following["commands"]] == IDS[10:30]
        every = [command["id"] for command in handle.all_commands(limit=7)]
        assert sorted(every) == IDS
        assert [command["id"] for command in handle.all_commands("FAILED")] == ["declined"]


def test_an_asynchronous_client_has_all_pages_too(url: str) -> None:
    async def ids() -> list[str]:
        async with AsyncClient(url) as client:
            handle = (
                await client.execution("one")
                if asyncio.iscoroutinefunction(client.execution)
                else client.execution("one")
            )
            assert (await handle.describe())["partial"] is True
            return [command["id"] async for command in handle.all_commands(limit=25)]

    assert sorted(asyncio.run(ids())) == IDS


def test_show_prints_what_failed_first_and_then_a_page(url: str) -> None:
    text = shown(url)
    assert text.index("look at these first") < text.index("\ndeclined") < text.index("\nfetch")
    assert rows(text) == ["declined", *IDS[:10]]
    assert "… and more, by their ids: --all" in text


def test_show_prints_all_if_it_is_asked_to(url: str) -> None:
    text = shown(url, "--all")
    assert sorted(rows(text)[1:]) == IDS
    assert "more" not in text
    assert rows(shown(url, "--failed")) == ["declined", "declined"]
    assert rows(shown(url, "--step", "fetch#44")) == ["declined", "fetch#44"]
    assert len(rows(shown(url, "--step", "fetch", "--limit", "5"))) == 1 + 5


def test_show_as_json_has_all_commands_for_programs(url: str) -> None:
    whole = json.loads(shown(url, "--json"))
    assert sorted(command["id"] for command in whole["commands"]) == IDS
    assert len(json.loads(shown(url, "--json", "--limit", "4"))["commands"]) == 4


def test_what_failed_is_not_cut_off(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where all commands are known, and there are more than are printed."""
    monkeypatch.setattr(parts, "FEW", 1000)
    text = shown(url, "--limit", "5")
    assert "look at these first" in text
    assert rows(text)[0] == "declined"
    assert "… and 56 more" in text


def test_up_to_many_commands_are_counted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MANY", 100)
    text = shown(url, "--limit", "5")
    assert "commands   61: 60 SUCCEEDED, 1 FAILED" in text
    assert rows(text)[0] == "declined"
    assert "… and 56 more: --limit N" in text
    assert sorted(rows(shown(url, "--all"))[1:]) == IDS


def test_watch_follows_what_comes_first(url: str) -> None:
    result = CliRunner().invoke(app, ["--url", url, "watch", "one"])
    assert result.exit_code == 1
    assert "declined  FAILED" in result.output
