"""`stepfast delete`: asks on a terminal, tells of each, and lets nothing that cannot be deleted stop the others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepfast.cli import steering
from tests.http.serving import Api


@pytest.fixture
def ended(api: Api) -> Api:
    for id in ("a", "b"):
        api.start("echo", 1, id)
        api.ends(id=id)
    api.start("fragile-flow", "x", "failed")
    api.ends("FAILED", id="failed")
    api.start("wait-for", None, "running")
    return api


def left(api: Api) -> set[str]:
    return {execution["execution_id"] for execution in api.get("/v1/executions")["executions"]}


def test_many_are_deleted_at_once(cli: Any, ended: Api) -> None:
    assert cli("delete", "a", "failed", "a", "--yes").stdout == "deleted a\ndeleted failed\n"
    assert left(ended) == {"b", "running"}


def test_what_cannot_be_deleted_does_not_stop_the_others(cli: Any, ended: Api) -> None:
    result = cli("delete", "running", "nobody", "b", "-y", code=2)
    assert result.stdout == "deleted b\n"
    assert "'running' is RUNNING: cancel it first, then delete it" in result.stderr
    assert "no execution has the id 'nobody'" in result.stderr
    assert left(ended) == {"a", "failed", "running"}


def test_as_json_it_lists_what_is_gone(cli: Any, ended: Api) -> None:
    assert json.loads(cli("delete", "a", "running", "-y", "--json", code=2).stdout) == {"deleted": ["a"]}


def test_where_nobody_can_be_asked_nothing_is_deleted_without_yes(cli: Any, ended: Api) -> None:
    assert "confirm it with --yes" in cli("delete", "a", code=2).stderr
    assert "a" in left(ended)


@pytest.mark.parametrize(("said", "gone"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_on_a_terminal_it_asks_first(
    cli: Any, ended: Api, said: str, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "_on_terminal", lambda: True)
    result = cli("delete", "a", "b", input=said, code=0 if gone else 1)
    assert "Delete these 2 executions with all values and history, for good?" in result.stderr
    assert ({"a", "b"} & left(ended) == set()) is gone
