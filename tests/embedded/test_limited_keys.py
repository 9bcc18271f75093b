"""A limited key stays limited when its request is handed on to the process that owns the file."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import stepfast
from stepfast.http.key_file import KeyFile
from stepfast.restriction import Restriction
from tests.embedded.flows import approval, order, relay
from tests.embedded.test_processes import Worker

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_process_hands_on_what_the_key_of_its_caller_may_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KeyFile(tmp_path / "keys.json")
    _, limited = file.create("billing", ["look"], 1.0, None, Restriction(("approval",)))
    _, all_of_it = file.create("all", ["read"], 1.0)
    monkeypatch.setenv("STEPFAST_API_KEYS_FILE", str(tmp_path / "keys.json"))
    owner = Worker(tmp_path / "app.db")
    try:
        assert owner.receive() == "open"
        assert owner.ask("start", "order", {"item": "tea"}, "foreign")
        async with stepfast.Embedded(tmp_path / "app.db", [order, approval, relay], durability="process") as engine:
            assert not engine.is_owner
            transport = httpx.ASGITransport(engine.asgi(page=False))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking:

                async def status(key: str, method: str = "GET", place: str = "", **forged: str) -> int:
                    headers = {"authorization": f"Bearer {key}", **forged}
                    answer = await asking.request(method, f"/v1/executions/foreign{place}", headers=headers)
                    return answer.status_code

                assert await status(all_of_it) == 200
                assert await status(limited) == 404
                forged = '{"scopes": ["read"], "restriction": {}}'
                assert await status(limited, **{"x-stepfast-grant": forged}) == 404
                assert await status(limited, "POST", "/cancel") == 403
                assert await status(all_of_it, "POST", "/cancel") == 403
    finally:
        owner.kill()
        for pipe in (owner.process.stdin, owner.process.stdout):
            if pipe is not None:
                pipe.close()
