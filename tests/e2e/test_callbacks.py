"""An answer by a link under IAM: without a key, at the address that the stack's steps have put into it."""

from __future__ import annotations

import pytest

from stepfast.link_tokens import PATH, token_in
from tests.e2e.conftest import Deployed, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_link_of_a_step_is_answered_without_a_key(deployed: Deployed) -> None:
    assert deployed.start("approve", "it", "by-link").status_code == 201

    def mailed() -> str | None:
        commands = deployed.http.get("/v1/executions/by-link").raise_for_status().json()["commands"]
        return next(
            (command["output"] for command in commands if command["name"] == "mailed" and command["output"]), None
        )

    url: str = eventually(mailed, "the link to be mailed")
    assert url.startswith(f"{deployed.outputs['ApiUrl']}{PATH}?token=sfl1.")
    token = token_in(url)
    with deployed.emulator.http(deployed.outputs) as nobody:
        assert nobody.get("/v1/executions/by-link").status_code in (401, 403)
        page = nobody.get(PATH, params={"token": token}, headers={"accept": "text/html"})
        assert (page.status_code, "An answer is needed: approved" in page.text) == (200, True)
        assert nobody.post(PATH, params={"token": token[:-2] + "AA"}, json={"answer": True}).status_code == 403
        assert nobody.post(PATH, params={"token": token}, json={"answer": True}).status_code == 202
        assert deployed.wait("by-link")["result"] == "it True"
        assert nobody.post(PATH, params={"token": token}, json={"answer": False}).status_code == 409
    keys = deployed.http.post("/v1/link-keys/rotate", json={"revoke": True}).raise_for_status().json()["keys"]
    assert len(keys) == 1
