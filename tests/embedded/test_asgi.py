"""The API and the page, mounted in another application."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import stepfast
from stepfast.deployment.project import InboundSettings
from stepfast.errors import StartupError
from stepfast.http import page
from stepfast.webhook_signing import headers_for
from tests.embedded.flows import approval, order
from tests.http.issuing import issuing, table

pytestmark = pytest.mark.anyio
START = "/flows/v1/workflows/order/executions"
BODY = {"input": {"item": "tea"}, "execution_id": "o-1"}


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[stepfast.Embedded]:
    monkeypatch.delenv("STEPFAST_API_KEYS", raising=False)
    async with stepfast.Embedded(tmp_path / "app.db", [order, approval], durability="process") as opened:
        yield opened


def client(app: Any, host: str = "localhost", **headers: str) -> httpx.AsyncClient:
    """A browser or program that asks the application, which has the API below /flows."""
    transport = httpx.ASGITransport(app, root_path="/flows")
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}", headers=headers)


async def test_the_api_is_below_the_path_where_it_is_mounted(engine: stepfast.Embedded) -> None:
    async with client(engine.asgi()) as asking:
        started = await asking.post(START, json=BODY)
        assert (started.status_code, started.headers["location"]) == (201, "/flows/v1/executions/o-1")
        assert (await engine.execution("o-1", order).result(30)).total == 10
        shown = await asking.get(started.headers["location"])
        assert shown.json()["status"] == "SUCCEEDED"
        assert (await asking.get("/flowsv1/executions/o-1")).status_code == 404


async def test_a_prefix_that_the_server_has_taken_off_is_as_good(engine: stepfast.Embedded) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(engine.asgi()), base_url="http://localhost") as asking:
        started = await asking.post(START.removeprefix("/flows"), json=BODY)
        assert (started.status_code, started.headers["location"]) == (201, "/v1/executions/o-1")


async def test_the_page_is_at_the_top_of_the_path(
    engine: stepfast.Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("<p>the page</p>")
    monkeypatch.setattr(page.DashboardPage.__init__, "__defaults__", (tmp_path,))
    async with client(engine.asgi()) as asking:
        assert (await asking.get("/flows/")).text == "<p>the page</p>"
        without_slash = await asking.get("/flows")
        assert (without_slash.status_code, without_slash.headers["location"]) == (307, "/flows/")
    async with client(engine.asgi(page=False)) as asking:
        assert (await asking.get("/flows/")).status_code == 404


async def test_without_keys_only_this_machine_may_call(engine: stepfast.Embedded) -> None:
    async with client(engine.asgi(), "shop.example") as asking:
        refused = await asking.post(START, json=BODY)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:stepfast:problem:forbidden-host")


async def test_keys_let_callers_in(engine: stepfast.Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    by_argument = engine.asgi(api_keys=["one-key", "another"])
    monkeypatch.setenv("STEPFAST_API_KEYS", "from-environment")
    for app, key in ((by_argument, "another"), (engine.asgi(), "from-environment")):
        async with client(app, "shop.example") as asking:
            assert (await asking.get("/flows/v1/executions")).status_code == 401
            answer = await asking.get("/flows/v1/executions", headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 200
    with pytest.raises(StartupError, match="choose one"):
        engine.asgi(api_keys=["key"], trusted=True)
    with pytest.raises(StartupError, match="empty"):
        engine.asgi(api_keys=["key", ""])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"sec-fetch-site": "same-origin", "origin": "https://shop.example"}, 201),
        ({"origin": "http://shop.example"}, 201),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "https://blog.shop.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
    ],
)
async def test_a_trusted_application_lets_its_callers_in_and_no_page_of_another_site(
    engine: stepfast.Embedded, headers: dict[str, str], status: int
) -> None:
    async with client(engine.asgi(trusted=True), "shop.example", **headers) as asking:
        assert (await asking.post(START, json=BODY)).status_code == status
        assert (await asking.get("/flows/v1/executions")).status_code == 200


async def test_a_process_that_does_not_own_the_file_serves_all_of_the_api(engine: stepfast.Embedded) -> None:
    other = stepfast.Embedded(engine.path, [order, approval], durability="process")
    async with other, client(other.asgi()) as asking:
        assert not other.is_owner
        assert (await asking.post(START, json=BODY)).status_code == 201
        wrong = await asking.post(START, json={"input": {"item": 1}, "execution_id": "ü"})
        assert wrong.json()["errors"][0]["field"]
        await engine.execution("o-1").result(30)
        listed = await asking.get("/flows/v1/executions?label=a:b&prefix=o-&limit=1")
        assert (listed.status_code, listed.json()["executions"]) == (200, [])
        shown = await asking.get("/flows/v1/executions/o-1")
        etag = shown.headers["etag"]
        again = await asking.get("/flows/v1/executions/o-1", headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert (await asking.get("/flows/v1/executions/a%20b%3Fc")).status_code == 404
        assert (await asking.get("/flows/openapi.json")).json()["openapi"].startswith("3.1")


async def test_the_start_and_the_end_of_a_server_are_answered_and_web_sockets_refused(
    engine: stepfast.Embedded,
) -> None:
    received = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    app = engine.asgi()
    await app({"type": "lifespan"}, receive, send)
    received = iter([{"type": "websocket.connect"}])
    await app({"type": "websocket", "path": "/"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]


# -- webhooks of others -------------------------------------------------------------------------------------------

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
EVENT = b'{"item": "tea"}'


def signed(id: str, key: bytes = b"k" * 24) -> dict[str, str]:
    return headers_for((key,), id, int(time.time()), EVENT)


async def test_webhooks_of_others_start_workflows_in_whichever_process_they_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    shop = {"shop": InboundSettings("order", "SHOP_SECRET")}

    def application() -> stepfast.Embedded:
        return stepfast.Embedded(tmp_path / "app.db", [order, approval], durability="process", inbound=shop)

    async with application() as owner, application() as other:
        assert (owner.is_owner, other.is_owner) == (True, False)
        for number, engine in enumerate((owner, other)):
            async with client(engine.asgi(api_keys=["key"])) as asking:

                async def post(headers: dict[str, str], asking: httpx.AsyncClient = asking) -> httpx.Response:
                    return await asking.post("/flows/v1/inbound/shop", content=EVENT, headers=headers)

                taken = await post(signed(f"msg_{number}"))
                assert (taken.status_code, taken.json()["execution_id"]) == (202, f"shop.msg_{number}")
                assert (await post(signed(f"msg_{number}"))).status_code == 200
                for wrong in ({}, signed("msg_9", b"o" * 24), signed("msg_9") | {"webhook-id": "msg_8"}):
                    refused = await post(wrong)
                    assert (refused.status_code, refused.json()["type"]) == (
                        401,
                        "urn:stepfast:problem:webhook-refused",
                    )
                assert (await asking.get("/flows/v1/executions")).status_code == 401  # all else asks for a key
        assert (await other.execution("shop.msg_0", order).result(30)).total == 10


async def test_settings_of_webhooks_that_are_not_right_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_SECRET", raising=False)
    for settings, said in (
        (InboundSettings("order", "SHOP_SECRET"), "SHOP_SECRET is not set"),
        (InboundSettings("order"), "neither a secret"),
        (InboundSettings("order", SECRET), "never the secret itself"),
    ):
        with pytest.raises(StartupError, match=said):
            stepfast.Embedded(tmp_path / "app.db", [order], inbound={"shop": settings})
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    with pytest.raises(StartupError, match="nobody"):
        stepfast.Embedded(tmp_path / "app.db", [order], inbound={"shop": InboundSettings("nobody", "SHOP_SECRET")})


async def test_tokens_of_an_issuer_let_in_where_the_application_says_whose(engine: stepfast.Embedded) -> None:
    with issuing() as issuer:
        app = engine.asgi(api_keys=["machine"], sign_on=table(issuer.address, client_id="the-page"))
        for token, status in ((issuer.token(), 201), (issuer.token(groups=["support"]), 403), ("machine", 200)):
            async with client(app, "shop.example", authorization=f"Bearer {token}") as asking:
                assert (await asking.post(START, json=BODY)).status_code == status
        async with client(app, "shop.example") as asking:
            assert (await asking.post(START, json=BODY)).status_code == 401
            policy = (await asking.get("/flows/")).headers["content-security-policy"]
            assert f"connect-src 'self' {issuer.address};" in policy
    with pytest.raises(StartupError, match="trusted"):
        engine.asgi(trusted=True, sign_on=table("https://login.example.com"))
    with pytest.raises(StartupError, match="sign_on"):
        engine.asgi(sign_on={"issuer": "https://login.example.com"})
