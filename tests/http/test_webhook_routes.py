"""`/v1/webhooks`, by both clients and the command line: backlogs, dead letters and redelivery."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stepfast import AsyncClient, Client, workflow
from stepfast.cli.app import app
from stepfast.engine.webhooks import Webhook
from stepfast.errors import UnknownName
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.webhook_signing import keys_in
from tests.http.serving import served
from tests.waiting import until


@workflow("quick")
async def quick() -> int:
    return 1


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server whose only webhook leads to a host that only resolves to this machine, so that nothing is delivered."""
    registry = Registry([quick])
    hook = Webhook("ops", "https://localhost:9/a-secret-path", (b"k" * 24,), statuses=("SUCCEEDED",))
    with (
        Runtime(registry, tmp_path / "test.db", durability="process", webhooks=[hook]) as runtime,
        served(build(runtime.operations, registry, runtime.call)) as address,
    ):
        with Client(address) as client:
            for number in range(3):
                client.run("quick", execution_id=f"x{number}").result(timeout=20)
            until(lambda: client.webhooks()[0]["pending"] == 3)
            # The first attempt of each is over, and the next is due in seconds: none is under way below.
            until(lambda: all(delivery["attempts"] == 1 for delivery in client.webhook("ops")["deliveries"]))
        # As after three days: no attempt is left.
        backend: Any = runtime._backend
        backend._file.post_row("UPDATE webhook_deliveries SET due = NULL WHERE number > 1", ())
        backend.flush()
        yield address


def cli(url: str, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, args, env={"STEPFAST_URL": url, "STEPFAST_API_KEY": None, "COLUMNS": "200"})
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def test_webhooks_are_listed_and_shown_without_the_path_of_their_address(url: str) -> None:
    with Client(url) as client:
        (listed,) = client.webhooks()
        assert (listed["origin"], listed["statuses"], listed["dead"]) == ("https://localhost:9", ["SUCCEEDED"], 2)
        shown = until(lambda: (found := client.webhook("ops")) and found["reason"] and found)
        assert "no public address" in shown["reason"]
        (pending,) = shown["deliveries"]
        assert (pending["execution_id"], pending["type"]) == ("x0", "execution.succeeded")
        assert pending["due_at"] is not None
        with pytest.raises(UnknownName, match="there are: ops"):
            client.webhook("other")
    for command in ("list", "show"):
        said = cli(url, "webhooks", command, *(["ops"] if command == "show" else [])).stdout
        assert "https://localhost:9" in said
        assert "a-secret-path" not in said


def test_dead_letters_are_listed_in_pages_and_redelivered(url: str) -> None:
    with Client(url) as client:
        page = client.webhook_dead_letters("ops", limit=1)
        (first,) = page["deliveries"]
        assert (first["execution_id"], first["due_at"]) == ("x1", None)
        rest = client.webhook_dead_letters("ops", cursor=page["next"])
        assert [letter["execution_id"] for letter in rest["deliveries"]] == ["x2"]
        assert client.redeliver_webhook("ops", first["event_id"]) == 1
        assert client.redeliver_webhook("ops", first["event_id"]) == 0
    assert "x2" in cli(url, "webhooks", "dead-letters", "ops").stdout
    assert json.loads(cli(url, "webhooks", "redeliver", "ops", "--json").stdout) == {"redelivered": 1}
    assert cli(url, "webhooks", "dead-letters", "ops").stdout == "no dead letters\n"
    cli(url, "webhooks", "dead-letters", "other", code=2)


def test_the_asynchronous_client_does_the_same(url: str) -> None:
    async def ask() -> tuple[int, int]:
        async with AsyncClient(url) as client:
            assert (await client.webhook("ops"))["name"] == "ops"
            dead = await client.webhook_dead_letters("ops")
            return len(dead["deliveries"]), await client.redeliver_webhook("ops")

    assert asyncio.run(ask()) == (2, 2)


def test_a_new_secret_is_one_each_time(url: str) -> None:
    made = [cli(url, "webhooks", "secret").stdout.strip() for _ in range(2)]
    assert made[0] != made[1]
    assert len(keys_in(made[0])[0]) == 32
