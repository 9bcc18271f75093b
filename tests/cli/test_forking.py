"""`stepfast fork`, and how a fork is shown."""

from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

from tests.http.serving import Api

Cli = Callable[..., Result]


def test_a_fork_says_where_it_comes_from_and_why(failed: Api, cli: Cli) -> None:
    done = cli("fork", "one", "--id", "two", "--why", "with the corrected name", "--label", "kind=test")
    assert done.stdout == "two\n"
    assert failed.get("/v1/executions/two")["labels"] == {"kind": "test"}
    shown = " ".join(cli("show", "two").stdout.split())
    assert "forked from one, before fragile: with the corrected name" in shown
    assert "forked from" not in cli("show", "one").stdout


def test_the_same_fork_twice_is_one_and_another_with_its_id_is_refused(failed: Api, cli: Cli) -> None:
    for _ in range(2):
        assert cli("fork", "one", "--id", "two").stdout == "two\n"
    refused = cli("fork", "one", "--id", "two", "--label", "kind=other", code=2)
    assert "two" in refused.stderr


def test_what_cannot_be_forked_is_refused_in_one_line(failed: Api, cli: Cli) -> None:
    assert "no-such" in " ".join(cli("fork", "one", "--before", "no-such", code=2).stderr.split())
    assert "nobody" in cli("fork", "nobody", code=2).stderr
