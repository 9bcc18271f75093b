"""`stepfast keys` on a table in moto."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner, Result

from stepfast.backends.dynamodb.audit import DynamoAudit
from stepfast.backends.dynamodb.calls import Table
from stepfast.cli.app import app
from stepfast.cli.invoke import REGION, deployed
from stepfast.engine.audit_store import AuditQuery
from stepfast.functions.clients import Clients
from stepfast.functions.host import WallClock
from stepfast.language.registry import Registry

Cli = Callable[..., Result]


def run(*args: str, code: int = 0, **environment: str | None) -> Result:
    result = CliRunner().invoke(app, ["keys", *args], env={"COLUMNS": "200", **environment})
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    if code:
        assert "Traceback" not in result.stderr
        assert len(result.stderr.splitlines()) == 1
    return result


@pytest.fixture
def cli(no_account: None) -> Iterator[Cli]:
    with mock_aws():
        deployed(Clients(REGION), Registry(()))

        def on_table(*args: str, code: int = 0) -> Result:
            return run(*args, "--table", "stepfast", code=code)

        yield on_table


def listed(cli: Cli) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = json.loads(cli("list", "--json").stdout)["keys"]
    return keys


def test_a_key_is_printed_once_and_listed_without_its_secret(cli: Cli) -> None:
    text = cli("create", "shop", "--scope", "run", "--scope", "read").stdout.strip()
    assert text.startswith("sf_")
    (key,) = listed(cli)
    assert (key["name"], key["scopes"], key["expires_at"], key["state"]) == ("shop", ["read", "run"], None, "active")
    secret = text.split("_", 2)[2]
    for shown in (cli("list").stdout, cli("list", "--json").stdout):
        assert key["id"] in shown
        assert secret not in shown


def test_a_key_may_expire(cli: Cli) -> None:
    made = json.loads(cli("create", "ci", "--scope", "read", "--expires-in", "90d", "--json").stdout)
    (key,) = listed(cli)
    assert key["expires_at"] == made["expires_at"] > key["created_at"]
    assert made["key"].split("_")[1] == made["id"]


def test_a_key_is_revoked_by_its_id_or_by_its_text(cli: Cli) -> None:
    first, second = (cli("create", name, "--scope", "read").stdout.strip() for name in ("a", "b"))
    id = first.split("_")[1]
    assert cli("revoke", id).stdout == f"revoked {id}\n"
    assert second.split("_", 2)[2] not in cli("revoke", second).stdout
    assert [key["state"] for key in listed(cli)] == ["revoked", "revoked"]
    assert "no key that still works" in cli("revoke", id, code=2).stderr


def test_an_empty_list_says_so(cli: Cli) -> None:
    assert cli("list").stdout == "no keys\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "shop"), "--scope"),
        (("create", "shop", "--scope", "admin"), "read, run, operate"),
        (("create", "", "--scope", "read"), "name"),
        (("create", "shop", "--scope", "read", "--expires-in", "soon"), "90d"),
        (("create", "shop", "--scope", "read", "--expires-in", "0d"), "90d"),
        (("create", "shop", "--scope", "read", "--expires-in", "90"), "90d"),
        (("revoke", "nonsense"), "keys list"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    assert said in cli(*arguments, code=2).stderr
    assert listed(cli) == []


def test_without_a_table_it_is_asked_for(no_account: None) -> None:
    assert "--table, or STEPFAST_TABLE" in run("list", code=2).stderr


def test_a_table_that_is_not_there_is_named(cli: Cli) -> None:
    assert "'elsewhere'" in run("list", "--table", "elsewhere", code=2).stderr


def test_without_credentials_it_says_so(no_account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert "credentials" in run("list", "--table", "stepfast", code=2).stderr


def test_without_a_region_it_says_so(no_account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    assert "AWS_REGION" in run("list", "--table", "stepfast", code=2).stderr


def test_a_region_may_be_named(cli: Cli) -> None:
    assert "does not exist" in run("list", "--table", "stepfast", "--region", "eu-west-1", code=2).stderr


def test_a_key_is_limited_to_workflows_and_labels(cli: Cli) -> None:
    limits = ("--workflow", "report-*", "--workflow", "salary", "--label", "team=billing")
    cli("create", "shop", "--scope", "look,run", *limits)
    (key,) = listed(cli)
    assert (key["scopes"], key["workflows"], key["labels"]) == (
        ["look", "run"],
        ["report-*", "salary"],
        {"team": "billing"},
    )
    assert "report-* salary team=billing" in cli("list").stdout


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--workflow", "*"), "is no workflow"),
        (("--label", "team"), "key=value"),
        (("--label", "a=1", "--label", "a=2"), "each key once"),
        (("--scope", "look"), "one of them"),
    ],
)
def test_a_wrong_limit_makes_no_key(cli: Cli, wrong: tuple[str, ...], says: str) -> None:
    assert says in cli("create", "shop", "--scope", "read", *wrong, code=2).stderr
    assert listed(cli) == []


def test_keys_of_a_file_need_no_account(tmp_path: Path) -> None:
    file = str(tmp_path / "keys.json")
    made = json.loads(run("create", "shop", "--scope", "read", "--file", file, "--json").stdout)
    assert run("revoke", made["id"], "--file", file).stdout.strip() == f"revoked {made['id']}"
    (key,) = json.loads(run("list", "--file", file, "--json").stdout)["keys"]
    assert (key["name"], key["state"]) == ("shop", "revoked")


def test_a_key_that_is_made_and_revoked_has_lines_in_the_audit_list_of_the_deployment(cli: Cli) -> None:
    """Every deployment reads them, however many shards it has."""
    cli("create", "shop", "--scope", "run", "--scope", "look")
    cli("create", "nobody", "--scope", "fly", code=2)
    (key,) = listed(cli)
    for code in (0, 2):
        cli("revoke", key["id"], code=code)
    client, clock = Clients(REGION).dynamodb, WallClock()
    audit = DynamoAudit(Table(client, "stepfast", clock), clock, shards=8)
    page = asyncio.run(audit.audit_page(AuditQuery(since=0), time.time() - 60))
    assert [(line.action, line.target, line.why, line.outcome) for line in page.lines] == [
        ("revoke-key", key["id"], "", "refused"),
        ("revoke-key", key["id"], "", "done"),
        ("create-key", f"{key['id']} shop", "scopes: look run", "done"),
    ]
    assert all(line.by.startswith("arn:aws:") for line in page.lines)


def test_no_key_is_made_whose_line_cannot_be_written(cli: Cli) -> None:
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutItem")

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if params["Item"]["pk"]["S"].startswith("audit#"):
            raise refused

    made = Clients._make

    def client(self: Clients, service: str) -> Any:
        client = made(self, service)
        client.meta.events.register("provide-client-params.dynamodb.PutItem", refuse)
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clients, "_make", client)
        assert "permissions" in cli("create", "shop", "--scope", "run", code=2).stderr
    assert cli("list").stdout == "no keys\n"
