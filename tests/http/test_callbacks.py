"""The page and the route behind answer links: what is refused, who is asked, and what a form becomes."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pytest
from pydantic import BaseModel, Field

from stepfast import callback, step, workflow
from stepfast.http.callback_forms import form_of
from stepfast.link_tokens import PATH, narrowed, token_in
from tests.http.serving import Api
from tests.waiting import until

sent: dict[str, list[str]] = {}


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Approval(BaseModel):
    """Shall the report go out?

    Read it first: it is <attached>.
    """

    approved: bool = Field(title="Publish it?")
    level: Level = Level.LOW
    by: date | None = None
    comment: str = ""


@step
def mail(name: str, urls: list[str]) -> None:
    sent[name] = urls


@workflow("approving")
async def approving(name: str) -> Any:
    async with callback("approved", Approval, timeout=timedelta(days=1)) as link:
        await mail(name, [link.url])
        answer = await link.answer()
    return answer.model_dump(mode="json")


@workflow("choosing")
async def choosing(name: str) -> str:
    async with callback("choice", Literal["yes", "no"], timeout=timedelta(days=1)) as link:
        await mail(name, [link.url, link.url_for("yes"), link.url_for("no")])
        return await link.answer()


@workflow("working")
async def working(name: str) -> int:
    async with callback("work", int, timeout=timedelta(days=1), heartbeat=60) as link:
        await mail(name, [link.url])
        return await link.answer()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(tmp_path_factory.mktemp("links") / "links.db", (approving, choosing, working), (mail,))
    yield made
    made.close()


def links(api: Api, flow: str, name: str) -> list[str]:
    """Starts an execution, and gives the tokens of the addresses that it mails."""
    api.start(flow, name, name)
    until(lambda: name in sent)
    return [token_in(url) for url in sent[name]]


def ask(api: Api, method: str, token: str, body: Any = None, **more: Any) -> tuple[int, dict[str, str], Any]:
    answer = api.ask(method, PATH, body, query=urlencode({"token": token}), **more)
    return answer.status, answer.headers, answer.body


def page(api: Api, method: str, token: str, form: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
    """As a browser asks, at an address that is not this machine's."""
    headers = {"accept": "text/html,*/*;q=0.8", "host": "flows.example.com", "sec-fetch-site": "cross-site"}
    if form is not None:
        headers["content-type"] = "application/x-www-form-urlencoded"
    from tests.http.serving import event

    asked = event(method, PATH, query=urlencode({"token": token}), headers=headers)
    if form is not None:
        asked["body"] = urlencode(form)
    response = api.handler(asked, None)
    assert response["headers"]["Content-Type"] == "text/html; charset=utf-8"
    return response["statusCode"], response["headers"], response["body"]


def test_looking_at_a_link_answers_nothing(api: Api) -> None:
    whole, yes, _ = links(api, "choosing", "looked")
    for method in ("GET", "HEAD"):
        for token in (whole, yes):
            assert page(api, method, token)[0] == 200
    assert api.get("/v1/executions/looked")["status"] == "RUNNING"
    assert api.runtime.call(api.runtime.operations.read("looked")).status == "RUNNING"
    assert not [event for event in api.get("/v1/executions/looked/history")["events"] if "signal" in event["type"]]


def test_the_page_of_one_answer_asks_and_then_gives_it(api: Api) -> None:
    _, yes, no = links(api, "choosing", "asked")
    status, headers, text = page(api, "GET", yes)
    assert status == 200
    assert "<pre>yes</pre>" in text
    assert '<form method="post">' in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert page(api, "POST", yes, {"confirm": "yes"})[0] == 200
    assert api.ends(id="asked")["result"] == "yes"
    assert page(api, "POST", yes, {"confirm": "yes"})[0] == 200
    status, _, text = page(api, "POST", no, {"confirm": "yes"})
    assert (status, "answered" in text) == (409, True)


def test_the_form_of_a_model_is_filled_in_and_what_is_wrong_is_said(api: Api) -> None:
    (token,) = links(api, "approving", "form")
    _, _, text = page(api, "GET", token)
    assert "<h1>Shall the report go out?</h1>" in text
    assert "it is &lt;attached&gt;" in text
    assert re.findall(r'name="([^"]+)"', text) == [
        *("viewport", "field.approved", "field.approved", "field.level", "field.level", "field.by", "field.comment")
    ]
    status, _, text = page(api, "POST", token, {"field.approved": "7", "field.comment": "kept <b>"})
    assert (status, "Publish it?" in text) == (422, True)
    assert 'value="kept &lt;b&gt;"' in text
    form = {"field.approved": "0", "field.level": "1", "field.by": "2026-12-01", "field.comment": "fine"}
    assert page(api, "POST", token, form)[0] == 200
    assert api.ends(id="form")["result"] == {"approved": True, "level": "high", "by": "2026-12-01", "comment": "fine"}
    assert "answered" in page(api, "GET", token)[2]


def test_every_changed_character_is_refused_before_anything_is_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = links(api, "choosing", "altered")
    for token in tokens:
        assert ask(api, "GET", token)[0] == 200

    def read(*args: Any) -> Any:
        raise AssertionError("the store was read")

    operations = api.runtime.operations
    for name in ("look", "answer", "fail", "beat"):
        monkeypatch.setattr(operations.links, name, read)
    monkeypatch.setattr(operations.links.keys, "_read", read)
    for token in tokens[:2]:
        for at in range(len(token)):
            for other in "A", "B", "-", "", ".":
                changed = token[:at] + other + token[at + 1 :]
                if changed == token or changed[5:13] != token[5:13]:  # another key's id makes the keys be read anew
                    continue
                status, _, body = ask(api, "POST", changed, {"answer": "yes"})
                assert (status, body["type"]) == (403, "urn:stepfast:problem:link-invalid"), (at, other)
    for cut in ("", "sfl1", tokens[0][:-1], tokens[0] + "A", tokens[1].rpartition(".")[0], "x" * 5000):
        assert ask(api, "POST", cut, {"answer": "yes"})[0] == 403
    assert api.ask("POST", PATH, {"answer": "yes"}).status == 403


def test_a_narrowed_link_is_not_widened_again(api: Api) -> None:
    whole, yes, _ = links(api, "choosing", "narrow")
    head, key, claims, _answer, mac = yes.split(".")
    assert ask(api, "POST", f"{head}.{key}.{claims}.{mac}", {"answer": "no"})[0] == 403
    assert ask(api, "POST", yes, {"answer": "no"})[0] == 422
    assert ask(api, "POST", yes, {"failure": {"message": "no"}})[0] == 422
    assert ask(api, "POST", token_in(narrowed(f"http://x/?token={whole}", '"maybe"')), {})[0] == 422
    assert ask(api, "POST", whole, {"answer": "no"})[0] == 202
    assert api.ends(id="narrow")["result"] == "no"


def test_programs_send_json_and_get_problems(api: Api) -> None:
    (token,) = links(api, "working", "json")
    assert ask(api, "GET", token)[2] == {
        "name": "work",
        "execution_id": "json",
        "status": "open",
        "expires_at": ask(api, "GET", token)[2]["expires_at"],
        "answer": None,
        "schema": {"type": "integer"},
    }
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        status, headers, _ = ask(api, method, token)
        assert (status, headers["Allow"]) == (405, "GET, HEAD, POST")
    for body, field in (
        ({}, "answer"),
        ({"answer": "many"}, "answer"),
        ({"answer": 1, "heartbeat": 1}, ""),
        ({"approve": 1}, ""),
        ({"failure": "down"}, "failure.message"),
        ({"answer": {"stepfast.failure": {"type": "a", "message": "b"}}}, "answer"),
    ):
        status, _, problem = ask(api, "POST", token, body)
        assert (status, problem["errors"][0]["field"]) == (422, field), body
    assert ask(api, "POST", token, text="{", headers={"content-type": "application/json"})[0] == 400
    assert ask(api, "POST", token, text="answer=1", headers={"content-type": "text/plain"})[0] == 415
    assert ask(api, "POST", token, {"answer": "x" * 70_000})[0] == 413
    assert ask(api, "POST", token, {"heartbeat": {"done": 3}})[0] == 200
    assert ask(api, "POST", token, {"answer": 7})[0] == 202
    assert ask(api, "POST", token, {"answer": 7.0})[0] == 200
    assert ask(api, "POST", token, {"answer": 8})[0] == 409
    assert api.ends(id="json")["result"] == 7
    api.runtime.operations.links._beats.clear()  # a heartbeat right after another one is not looked at
    assert ask(api, "POST", token, {"heartbeat": None})[0] == 410


def test_a_link_that_is_used_too_often_has_to_wait(api: Api) -> None:
    (token,) = links(api, "working", "often")
    answers = [ask(api, "GET", token) for _ in range(40)]
    assert answers[0][0] == 200
    assert (answers[-1][0], answers[-1][1]["Retry-After"]) == (429, "1")


def test_a_deleted_execution_and_its_successor_refuse_the_link(api: Api) -> None:
    (token,) = links(api, "working", "again")
    api.ask("POST", "/v1/executions/again/terminate")
    api.ends("CANCELLED", id="again")
    assert ask(api, "POST", token, {"answer": 1})[0] == 410
    assert api.ask("DELETE", "/v1/executions/again").status == 200
    assert ask(api, "POST", token, {"answer": 1})[0] == 410
    assert ask(api, "POST", token, {"heartbeat": 1})[0] == 410
    sent.pop("again")
    (second,) = links(api, "working", "again")
    assert ask(api, "POST", token, {"answer": 1})[0] == 410
    assert ask(api, "POST", second, {"answer": 2})[0] == 202
    assert api.ends(id="again")["result"] == 2


def test_keys_rotate_and_old_links_stay_until_they_are_revoked(api: Api) -> None:
    links_api, keys = api.runtime.operations.links, api.runtime.operations.links.keys
    (old,) = links(api, "working", "old")
    api.runtime.call(keys.rotate())
    (new,) = links(api, "working", "new")
    assert old.split(".")[1] != new.split(".")[1]
    assert ask(api, "GET", old)[0] == ask(api, "GET", new)[0] == 200
    assert len(api.runtime.call(keys.taken())) == 2
    api.runtime.call(keys.rotate(revoke=True))
    assert ask(api, "GET", old)[0] == ask(api, "GET", new)[0] == 403
    assert links_api.keys is keys


def test_another_deployments_link_is_refused(api: Api, tmp_path: Path) -> None:
    other = Api(tmp_path / "other.db", (working,), (mail,))
    try:
        (token,) = links(other, "working", "elsewhere")
        api.start("working", "elsewhere-2", "elsewhere")
        assert ask(api, "POST", token, {"answer": 1})[0] == 403
    finally:
        other.close()


def test_a_caller_who_may_only_read_sees_no_token(api: Api) -> None:
    from stepfast.http.api import _unsigned

    (token,) = links(api, "working", "masked")
    shown = json.dumps({"input": {"urls": sent["masked"]}})
    assert token in _unsigned({"body": shown}, frozenset({"read", "run"}))["body"]
    masked = _unsigned({"body": shown}, frozenset({"read"}))["body"]
    assert token not in masked
    assert json.loads(masked)["input"]["urls"][0].endswith(f"token=sfl1.{token.split('.')[1]}.…")


def test_the_heading_of_a_type_without_a_docstring_names_the_callback(api: Api) -> None:
    whole, _, _ = links(api, "choosing", "heading")
    _, _, text = page(api, "GET", whole)
    assert "An answer is needed: choice" in text
    assert re.findall(r'type="radio" name="answer" value="(\d)"', text) == ["0", "1"]


@pytest.mark.parametrize(
    ("of", "filled", "read"),
    [
        (bool, "1", False),
        (int, "12", 12),
        (float, "1.5", 1.5),
        (str, "", ""),
        (Literal["a", 3], "1", 3),
        (list[int], "[1, 2]", [1, 2]),
        (Any, '{"a": null}', {"a": None}),
    ],
)
def test_a_plain_type_is_one_field(of: Any, filled: str, read: Any) -> None:
    from stepfast.values.codec import Codec

    assert form_of(Codec(of, "it").json_schema()).read({"answer": filled}) == read


def test_a_link_expires(serve: Any) -> None:
    @workflow("brief")
    async def brief(name: str) -> str:
        async with callback("soon", str, timeout=0.1) as link:
            await mail(name, [link.url])
            try:
                return await link.answer()
            except TimeoutError:
                return "late"

    api = serve(brief, steps=(mail,))
    (token,) = links(api, "brief", "brief")
    until(lambda: ask(api, "GET", token)[0] == 410)
    assert ask(api, "GET", token)[2]["type"].endswith("link-expired")
    assert api.ends(id="brief")["result"] == "late"
