"""Limited keys, and keys that read no values: every route is tried with an execution that the key is not for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfast import set_status, signal, step, workflow
from stepfast.api_key import parts_of
from stepfast.errors import InvalidRequest, StartupError
from stepfast.http.api import build, scopes_by_route
from stepfast.http.auth import Authenticator, GatewayAuth, Grant
from stepfast.http.key_file import KeyFile
from stepfast.http.restricting import RULES, WITHHELD
from stepfast.restriction import Restriction, is_among, read, text_of
from tests.http.serving import Answer, Api, event
from tests.lanes import examples
from tests.waiting import until

SECRET = "hunter2"
OURS, THEIRS = {"team": "billing"}, {"team": "payroll"}
SCOPES = ["read", "run", "operate"]
BODIES: dict[str, Any] = {
    "/v1/executions/{execution_id}/commands/{command}/repair": {"skip": True},
    "/v1/executions/{execution_id}/signals/{name}": {"payload": 1},
}


@step
async def work(word: str) -> str:
    if word.startswith("bad"):
        raise ValueError(f"no {word}")
    return f"{word} {SECRET}"


@workflow("report-daily")
async def report(word: str) -> str:
    set_status(f"at {SECRET}")
    done = await work(word)
    if word.startswith("wait"):
        await signal("go", str)
    return done


@workflow("salary")
async def salary(word: str) -> str:
    return await work(word)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("restricted")
    made = Api(folder / "restricted.db", (report, salary), (work,))
    made.start("report-daily", SECRET, "ours", labels=OURS)
    made.start("report-daily", SECRET, "other-team", labels=THEIRS)
    made.start("salary", SECRET, "other-flow", labels=OURS)
    made.start("report-daily", f"bad {SECRET}", "failed", labels=OURS)
    made.start("salary", f"bad {SECRET}", "failed-other", labels=OURS)
    made.start("report-daily", f"wait {SECRET}", "waits", labels=OURS)
    made.ask("POST", "/v1/executions/waits/signals/else", {"payload": SECRET})
    for id in ("ours", "other-team", "other-flow", "failed", "failed-other"):
        made.ends("SUCCEEDED", "FAILED", id=id)
    until(lambda: made.command("work", "waits")["status"] == "SUCCEEDED")
    yield made
    made.close()


def limited(scopes: list[str], restriction: Restriction) -> Any:
    said = {"scopes": " ".join(scopes), "restriction": restriction.as_json()}
    return {"lambda": {"scopes": "", "key": "tests", "limited": json.dumps(said)}}


LIMITED = limited(SCOPES, Restriction(("report-*",), OURS))


def ask(api: Api, authorizer: Any, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    handle = build(api.runtime.operations, api.registry, api.runtime.call, GatewayAuth())
    sent = event(method, path, body, **more)
    sent["requestContext"]["authorizer"] = authorizer
    response = handle(sent, None)
    return Answer(response["statusCode"], response["headers"], json.loads(response["body"]))


def test_every_route_has_a_rule() -> None:
    routes = {(method, path) for path, method in scopes_by_route()}
    assert routes == set(RULES)
    for (method, path), rule in RULES.items():
        about = "{execution_id}" in path and rule != "refused"
        assert (rule == "execution") == about, f"{method} {path} is about one execution, or is not"


@pytest.mark.parametrize(("method", "path"), [route for route, rule in RULES.items() if rule == "execution"])
@pytest.mark.parametrize("foreign", ["other-team", "other-flow"])
def test_a_foreign_execution_is_as_one_that_does_not_exist(api: Api, method: str, path: str, foreign: str) -> None:
    body = BODIES.get(path)
    before = api.get(f"/v1/executions/{foreign}")

    def asked(id: str) -> Any:
        place = path.replace("{execution_id}", id).replace("{command}", "work").replace("{name}", "go")
        answer = ask(api, LIMITED, method, place, body)
        return answer.status, json.dumps(answer.body).replace(id, "ID")

    assert asked(foreign) == asked("nobody-has-this-id")
    assert asked(foreign)[0] == 404
    assert api.get(f"/v1/executions/{foreign}") == before


@pytest.mark.parametrize(("method", "path"), [route for route, rule in RULES.items() if rule == "refused"])
def test_what_concerns_all_executions_is_refused(api: Api, method: str, path: str) -> None:
    answer = ask(api, LIMITED, method, path.replace("{workflow}", "report-daily").replace("{name}", "nightly"))
    assert (answer.status, answer.kind) == (403, "key-limited")


def test_a_list_and_its_total_have_only_what_the_key_is_for(api: Api) -> None:
    page = ask(api, LIMITED, "GET", "/v1/executions", query="total=true").body
    assert {shown["execution_id"] for shown in page["executions"]} == {"ours", "failed", "waits"}
    assert page["total"] == {"count": 3, "complete": True}
    for query in ("label=team:payroll&total=true", "workflow=salary&total=true", "prefix=other&total=true"):
        page = ask(api, LIMITED, "GET", "/v1/executions", query=query).body
        assert (page["executions"], page["next"], page["total"]["count"]) == ([], None, 0), query
    first = ask(api, LIMITED, "GET", "/v1/executions", query="limit=1").body
    assert len(first["executions"]) == 1
    assert ask(api, LIMITED, "GET", "/v1/executions", query="parent=other-team").status == 404
    letters = ask(api, LIMITED, "GET", "/v1/dead-letters").body["dead_letters"]
    assert [letter["execution_id"] for letter in letters] == ["failed"]
    ids = ["ours", "other-team", "other-flow", "none"]
    found = ask(api, LIMITED, "POST", "/v1/executions/statuses", {"execution_ids": ids}).body["executions"]
    assert [shown["execution_id"] for shown in found] == ["ours"]
    named = ask(api, LIMITED, "GET", "/v1/workflows").body["workflows"]
    assert [shown["name"] for shown in named] == ["report-daily"]


def test_a_start_gets_the_labels_of_the_key_and_no_others_of_their_names(api: Api) -> None:
    start, body = "/v1/workflows/report-daily/executions", {"input": "x", "execution_id": "made"}
    made = ask(api, LIMITED, "POST", start, body)
    assert (made.status, made.body["labels"]) == (201, OURS)
    other = ask(api, LIMITED, "POST", start, {**body, "execution_id": "none", "labels": THEIRS})
    assert (other.status, other.kind) == (403, "key-limited")
    for name in ("salary", "no-such"):
        refused = ask(api, LIMITED, "POST", f"/v1/workflows/{name}/executions", body)
        assert (refused.status, refused.body["detail"]) == (404, f"no workflow is named {name!r}")
    taken = [
        ask(api, LIMITED, "POST", start, {"input": word, "execution_id": id})
        for id, word in (("other-team", SECRET), ("other-flow", SECRET), ("other-team", "x"))
    ]
    assert {(answer.status, answer.body["detail"]) for answer in taken} == {(409, "this id is taken: use another id")}
    starts = [
        {"workflow": "salary", "input": "x", "execution_id": "batch-1"},
        {"workflow": "report-daily", "input": "x", "execution_id": "batch-2"},
        {"workflow": "report-daily", "input": SECRET, "execution_id": "other-team"},
    ]
    outcomes = ask(api, LIMITED, "POST", "/v1/executions/batch", {"starts": starts}).body["outcomes"]
    assert [outcome["created"] for outcome in outcomes] == [False, True, False]
    assert [(outcome["problem"] or {}).get("status") for outcome in outcomes] == [404, None, 409]
    assert api.ask("GET", "/v1/executions/batch-1").status == 404


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"scopes": "read"}', '{"scopes": "read", "restriction": {"x": 1}}'])
def test_a_limit_that_is_not_understood_lets_nobody_in(api: Api, text: str) -> None:
    authorizer = {"lambda": {"scopes": "read run operate", "key": "tests", "limited": text}}
    assert ask(api, authorizer, "GET", "/v1/executions").status == 401


def test_a_version_that_knows_no_limits_finds_no_scopes() -> None:
    assert LIMITED["lambda"]["scopes"] == ""


# -- values --------------------------------------------------------------------------------------------------------

LOOKS = {"lambda": {"scopes": "look run operate", "key": "tests"}}


@pytest.mark.parametrize("path", [path for (method, path) in RULES if method == "GET"])
@pytest.mark.parametrize("id", ["ours", "failed", "waits"])
def test_who_may_only_look_is_told_no_value_by_any_route(api: Api, path: str, id: str) -> None:
    place = path.replace("{execution_id}", id).replace("{workflow}", "report-daily").replace("{name}", "nothing")
    answer = ask(api, LOOKS, "GET", place)
    assert answer.status in ((403, 422) if "/recording" in path else (200, 404, 422))
    assert SECRET not in json.dumps(answer.body)
    assert f"no bad {SECRET}" not in json.dumps(answer.body)


def test_what_is_withheld_says_so(api: Api) -> None:
    shown = ask(api, LOOKS, "GET", "/v1/executions/failed")
    assert shown.headers["Stepfast-Values"] == "withheld"
    assert (shown.body["input"], shown.body["error"]["message"]) == (None, WITHHELD)
    assert shown.body["error"]["type"] == "ValueError"
    assert shown.body["omitted"] == {"input": None}
    assert shown.body["labels"] == OURS
    whole = ask(api, {"lambda": {"scopes": "read", "key": "tests"}}, "GET", "/v1/executions/failed")
    assert whole.body["input"] == f"bad {SECRET}"
    assert "Stepfast-Values" not in whole.headers


def test_who_looks_and_starts_is_not_told_what_was_started_before(api: Api) -> None:
    start = "/v1/workflows/report-daily/executions"
    again = ask(api, LOOKS, "POST", start, {"input": SECRET, "execution_id": "ours", "labels": OURS})
    assert (again.status, again.body["result"]) == (200, None)
    other = ask(api, LOOKS, "POST", start, {"input": "guess", "execution_id": "ours"})
    assert (other.status, other.body["detail"]) == (409, "this id is taken: use another id")


# -- keys in a file ------------------------------------------------------------------------------------------------


def test_keys_of_a_file_are_limited_and_end_at_once(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    file = KeyFile(path)
    key, text = file.create("billing", ["read"], 1.0, None, Restriction(("report-*",), OURS))
    assert parts_of(text) is not None
    assert parts_of(text)[1] not in path.read_text()  # type: ignore[index]
    assert path.stat().st_mode & 0o077 == 0
    keys = Authenticator.from_environment({"STEPFAST_API_KEYS_FILE": str(path)})
    handle = build(api.runtime.operations, api.registry, api.runtime.call, keys)

    def status(place: str, method: str = "GET", sent: str = text) -> int:
        return int(handle(event(method, place, headers={"authorization": f"Bearer {sent}"}), None)["statusCode"])

    assert status("/v1/executions/ours") == 200
    assert status("/v1/executions/other-team") == 404
    assert status("/v1/executions/ours/cancel", "POST") == 403
    assert status("/v1/executions/ours", sent=text[:-1] + ("A" if text[-1] != "A" else "B")) == 401
    assert KeyFile(path).revoke(key.key_id, 2.0)
    assert status("/v1/executions/ours") == 401
    assert [shown.state(3.0) for shown in file.list()] == ["revoked"]
    path.write_text("{")
    assert status("/v1/executions/ours") == 503


def test_a_file_of_keys_that_is_not_there_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="keys create"):
        Authenticator.from_environment({"STEPFAST_API_KEYS_FILE": str(tmp_path / "none.json")})


@pytest.mark.parametrize("pattern", ["", "*", "a b", "re*port", "r" * 65, "a\n"])
def test_a_pattern_that_is_no_name_makes_no_key(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="is no workflow"):
        KeyFile(tmp_path / "keys.json").create("x", ["read"], 1.0, None, Restriction((pattern,)))
    with pytest.raises(ValueError, match="is no workflow"):
        Restriction.of_json({"workflows": [pattern]})


# -- restrictions --------------------------------------------------------------------------------------------------

_names = st.text("abc-", min_size=1, max_size=6)
_labels = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=3)


@settings(max_examples=examples(60))
@given(st.lists(_names, max_size=3), _labels, _names, _labels)
def test_a_restriction_comes_back_and_takes_only_what_has_all_it_asks(
    names: list[str], labels: dict[str, str], name: str, held: dict[str, str]
) -> None:
    made = Restriction(tuple(f"{text}*" for text in names), labels)
    assert read(text_of(made)) == made
    assert Grant.of_text(Grant(frozenset({"read"}), made).as_text()) == Grant(frozenset({"read"}), made)
    expected = (not names or any(name[: len(text)] == text for text in names)) and all(
        held.get(key) == value for key, value in labels.items()
    )
    assert made.takes(name, held) is expected
    assert is_among(name, (name,))
    assert not is_among(name + "x", (name,))
