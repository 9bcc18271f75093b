"""External steps: Lambda functions and ECS tasks that answer by a link, in both homes; moto is the third party."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from stepfast import Client, EcsTask, ExternalCall, GiveUp, Retry, external_step, workflow
from stepfast.errors import DefinitionError
from stepfast.http.api import build
from stepfast.http.server import Server, listen
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.model import Failure
from stepfast.testing import Environment
from tests.integrations.aws_account import HOMES, PAGE, PROGRAMS, Account, program, variables, with_network
from tests.integrations.aws_account import account as account
from tests.waiting import until

pytest_plugins = ["pytester"]
QUICK = Retry(max_attempts=3, initial=1.0, jitter="none")


def filming(account: Account, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return program("external", folder, monkeypatch, with_network("external", account))


def events(account: Account) -> list[dict[str, Any]]:
    return [json.loads(call["Payload"]) for call in account.asked("Invoke")]


@HOMES
def test_a_function_and_a_task_answer_by_their_links(
    home: Any, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = filming(account, tmp_path, monkeypatch)
    with home(page.filming) as env:
        run = env.start(page.filming, "a")
        env.run_until(lambda: account.asked("Invoke"))
        (event,) = events(account)
        assert event == {
            "arguments": {"order_id": "a"},
            "link": event["link"],
            "idempotency_key": event["idempotency_key"],
            "heartbeat": None,
            "execution_id": run.execution_id,
            "step": "price_of",
            "attempt": 1,
        }
        assert account.asked("Invoke")[0]["InvocationType"] == "Event"
        env.answer(event["link"], 7)
        env.run_until(lambda: account.asked("RunTask"))
        (started,) = account.asked("RunTask")
        given = variables(started)
        assert json.loads(given["STEPFAST_ARGUMENTS"]) == {"video": "a"}
        assert (given["STEPFAST_HEARTBEAT"], given["STEPFAST_EXECUTION_ID"]) == ("300", run.execution_id)
        env.answer(given["STEPFAST_LINK"], {"location": "s3://a", "seconds": 1.5})
        ended = env.run_until(run)
        assert (ended.status, ended.result) == ("SUCCEEDED", "s3://a for 7")


@HOMES
def test_a_task_that_falls_silent_is_started_again_with_the_same_key_under_another_token(
    home: Any, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = filming(account, tmp_path, monkeypatch)
    with home(page.filming) as env:
        env.fake(page.price_of, 7)
        run = env.start(page.filming, "b")
        env.run_until(lambda: account.asked("RunTask"))
        first = variables(account.asked("RunTask")[0])
        env.at(timedelta(minutes=4)).do(lambda: env.heartbeat(first["STEPFAST_LINK"], {"frames": 1}))
        began = env.now
        env.run_until(lambda: len(account.asked("RunTask")) == 2)
        assert timedelta(minutes=9) <= env.now - began <= timedelta(minutes=16)
        one, other = account.asked("RunTask")
        second = variables(other)
        assert one["clientToken"] != other["clientToken"]
        assert first["STEPFAST_IDEMPOTENCY_KEY"] == second["STEPFAST_IDEMPOTENCY_KEY"]
        with pytest.raises(Exception, match="nobody waits|used|over"):
            env.answer(first["STEPFAST_LINK"], {"location": "late", "seconds": 1})
        env.answer(second["STEPFAST_LINK"], {"location": "s3://b", "seconds": 1})
        assert env.run_until(run).result == "s3://b for 7"


def test_a_crash_at_any_point_starts_a_task_under_one_token(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = filming(account, tmp_path, monkeypatch)

    def starts_and_points(crash: int | None) -> tuple[int, int]:
        account.calls.clear()
        with Environment(page.filming) as env:
            env.fake(page.price_of, 7)
            if crash is not None:
                env.crash(at=crash)
            run = env.start(page.filming, "c")
            env.run_until(lambda: account.asked("RunTask"))
            env.at(timedelta(minutes=2)).do(
                lambda: env.answer(
                    variables(account.asked("RunTask")[0])["STEPFAST_LINK"], {"location": "s3://c", "seconds": 1}
                )
            )
            assert env.run_until(run).result == "s3://c for 7"
            asked = account.asked("RunTask")
            assert len({call["clientToken"] for call in asked}) == 1
            return len(asked), len(env.points)

    starts, points = starts_and_points(None)
    assert starts == 1
    counted = [starts_and_points(number)[0] for number in range(points)]
    assert max(counted) == 2, "one of the crashes comes between the start of the task and its record"


def test_aws_refusing_for_good_fails_the_step_at_once_and_throttling_does_not(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, answers = filming(account, tmp_path, monkeypatch), ["ResourceNotFoundException"]

    def refuse(**_: Any) -> None:  # moto's Lambda takes calls of any function, as often as they come
        if answers:
            raise ClientError({"Error": {"Code": answers.pop()}}, "Invoke")

    boto3.DEFAULT_SESSION.events.register("before-call.lambda.Invoke", refuse)
    with Environment(page.filming) as env:
        env.fake(page.render, page.Film(location="s3://d", seconds=1))
        run = env.run(page.filming, "d")
        assert (run.status, len(account.asked("Invoke"))) == ("FAILED", 1)
        assert "invoke of function:pricing: " in error_of(run).message
        account.calls.clear()
        answers += ["TooManyRequestsException"] * 2
        run = env.start(page.filming, "d")
        env.run_until(lambda: len(account.asked("Invoke")) == 3)
        links = {event["link"] for event in events(account)}
        assert len(links) == 1, "all three were to start the same attempt"
        env.answer(links.pop(), 7)
        assert env.run_until(run).result == "s3://d for 7"


def test_arguments_that_no_container_takes_are_named(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = filming(account, tmp_path, monkeypatch)
    with Environment(page.filming) as env:
        env.fake(page.price_of, 7)
        run = env.run(page.filming, "x" * 9000)
        assert run.status == "FAILED"
        assert "8,192 characters" in error_of(run).message
    assert account.asked("RunTask") == []


# -- an invoker of one's own, and the policy


def error_of(run: Any) -> Failure:
    error: Failure = run.error
    return error


def make(invoke: Callable[[ExternalCall], Any], **options: Any) -> tuple[Any, Any]:
    """A workflow of one external step, and that step."""

    @external_step(arn="machine", **{"timeout": timedelta(hours=1), "retry": QUICK, **options}, invoke=invoke)
    async def measure(part: str, size: int = 3) -> float:
        raise NotImplementedError

    @workflow("measuring")
    async def measuring(part: str) -> float:
        return await measure(part)

    return measuring, measure


@HOMES
@pytest.mark.parametrize("kind", ["def", "async"])
def test_an_invoker_of_ones_own_starts_the_work(home: Any, kind: str) -> None:
    calls: list[ExternalCall] = []

    async def start_async(call: ExternalCall) -> None:
        calls.append(call)

    def start(call: ExternalCall) -> None:
        calls.append(call)
        if len(calls) == 1:
            raise ConnectionError("the machine is off")

    measuring, _ = make(start if kind == "def" else start_async)
    with home(measuring) as env:
        run = env.start(measuring, "bolt")
        env.run_until(lambda: len(calls) == (2 if kind == "def" else 1))
        assert (calls[-1].arn, calls[-1].arguments, calls[-1].attempt) == ("machine", {"part": "bolt"}, 1)
        assert len({call.token for call in calls}) == 1
        assert calls[-1].link not in repr(calls[-1])
        env.answer(calls[-1].link, 2.5)
        assert env.run_until(run).result == 2.5


@HOMES
def test_a_reported_failure_is_tried_again_and_give_up_is_not(home: Any) -> None:
    calls: list[ExternalCall] = []
    measuring, _ = make(calls.append, retry=Retry(max_attempts=3, initial=1.0, give_up_on=(ValueError,)))
    for last in ("ValueError", "GiveUp"):
        calls.clear()
        with home(measuring) as env:
            run = env.start(measuring, "bolt")
            env.run_until(lambda: len(calls) == 1)
            env.report_failure(calls[0].link, "no light", "LampBroken")
            env.run_until(lambda: len(calls) == 2)
            env.report_failure(calls[1].link, "no such part", last)
            env.run_until(run)
            assert (run.status, len(calls)) == ("FAILED", 2)
            assert error_of(run).type == last
            env.resume(run)
            env.run_until(lambda: len(calls) == 3)
            env.answer(calls[2].link, 1.5)
            assert env.run_until(run).result == 1.5


def test_an_answer_of_another_type_is_refused() -> None:
    calls: list[ExternalCall] = []
    measuring, _ = make(calls.append)
    with Environment(measuring) as env:
        run = env.start(measuring, "bolt")
        env.run_until(lambda: calls)
        with pytest.raises(Exception, match="number"):
            env.answer(calls[0].link, "much")
        env.answer(calls[0].link, 1.0)
        assert env.run_until(run).result == 1.0


@HOMES
def test_a_fake_answers_in_place_of_the_work(home: Any) -> None:
    def start(call: ExternalCall) -> None:
        raise AssertionError("nothing is started")

    measuring, measure = make(start, heartbeat=60)
    tries: list[str] = []

    async def work(part: str, size: int = 3) -> float:
        tries.append(part)
        if len(tries) == 1:
            raise OSError("busy")
        return size + 0.5

    with home(measuring) as env:
        began = env.now
        env.fake(measure, work, takes=timedelta(minutes=10))
        assert env.run(measuring, "bolt").result == 3.5
        assert timedelta(minutes=20) <= env.now - began <= timedelta(minutes=21)
        env.fake(measure, 1.0, takes=timedelta(minutes=10), beats=False)
        run = env.run(measuring, "nut")
        assert error_of(run).type == "CallbackTimeout"
        with pytest.raises(TypeError, match=r"env\.fake\(measure"):
            env.fail(measure)
        with pytest.raises(TypeError, match="a function that raises"):
            env.fake(measure, ValueError("x"))


def test_outside_of_an_engine_the_body_runs() -> None:
    @external_step(arn="machine", timeout=60, invoke=print)
    def measure(part: str) -> float:
        return 4.0

    @workflow("measuring-here")
    async def measuring(part: str) -> float:
        return await measure(part)

    import asyncio

    assert measure("bolt") == 4.0
    assert asyncio.run(measuring("bolt")) == 4.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arn": "arn:aws:s3:::bucket"}, "invoke= a function that starts it"),
        ({"arn": ""}, "arn is a text"),
        ({"arn": "task-definition/render"}, "needs task=EcsTask"),
        ({"arn": "function:pricing", "task": EcsTask(cluster="c", container="c")}, "this is a function"),
        ({"arn": "function:pricing", "timeout": 0}, "timeout is a number"),
        ({"arn": "function:pricing", "timeout": timedelta(days=400)}, "366 days"),
        ({"arn": "function:pricing", "heartbeat": 0.5}, "heartbeat is a number"),
        ({"arn": "function:pricing", "name": "x" * 49}, "48 characters"),
        ({"arn": "function:pricing", "retry": 3}, "retry takes a Retry"),
        ({"arn": "machine", "invoke": "machine"}, "invoke is a function"),
    ],
)
def test_a_wrong_option_is_named_at_once(options: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):

        @external_step(**{"timeout": 60, **options})
        def work() -> None: ...


def test_a_call_with_wrong_arguments_fails_where_it_is_written() -> None:
    _, measure = make(print)

    @workflow("measuring-wrongly")
    async def wrongly() -> float:
        return float(await measure("bolt", size={"not": "a number"}))

    with Environment(wrongly) as env:
        run = env.run(wrongly)
        assert error_of(run).type == "NotStorable"
        assert "external step 'measure'" in error_of(run).message


def test_give_up_of_the_invoker_fails_the_step_at_once() -> None:
    calls: list[ExternalCall] = []

    def start(call: ExternalCall) -> None:
        calls.append(call)
        raise GiveUp("no such machine")

    measuring, _ = make(start)
    with Environment(measuring) as env:
        run = env.run(measuring, "bolt")
        assert (run.status, error_of(run).type, len(calls)) == ("FAILED", "GiveUp", 1)


# -- the programs of the page that run elsewhere, over HTTP


@contextmanager
def links_that_lead_here(file: Path, made: Any) -> Iterator[Client]:
    """A home whose links lead to its own server."""
    registry, listener = Registry([made]), listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with Runtime(registry, file, durability="process", public_url=url) as runtime:
        server = Server(build(runtime.operations, registry, runtime.call), listener)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            with Client(url) as client:
                yield client
        finally:
            server.stop()
            thread.join()


def test_the_function_and_the_task_of_the_page_answer_over_http(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = filming(account, tmp_path, monkeypatch)
    function = program("pricing_function", tmp_path, monkeypatch)
    task = program("render_task", tmp_path, monkeypatch)
    with links_that_lead_here(tmp_path / "x.db", page.filming) as client:
        execution = client.run(page.filming, "a")
        until(lambda: account.asked("Invoke"))
        (event,) = events(account)
        function.handler(event, None)
        until(lambda: account.asked("RunTask"))
        for name, value in variables(account.asked("RunTask")[0]).items():
            monkeypatch.setenv(name, value)
        task.main()
        assert execution.result(timeout=60) == "s3://videos/a.mp4 for 7"
        assert not function.report(event["link"], heartbeat=None), "nobody waits any more"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # The process outlives its Popen.
def test_the_work_of_the_page_runs_here_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = program("at_home", tmp_path, monkeypatch)
    for name in ("pricing_function", "render_task"):
        (tmp_path / f"{name}.py").write_text(PROGRAMS[name], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with links_that_lead_here(tmp_path / "x.db", page.at_home) as client:
        assert client.run(page.at_home, "a").result(timeout=60) == "s3://videos/a.mp4"


def test_the_test_of_the_page_passes(pytester: pytest.Pytester) -> None:
    text = re.search(r"### In a test.*?```python\n(.*?)```", PAGE, re.DOTALL)
    assert text is not None
    (pytester.path / "external.py").write_text(PROGRAMS["external"], encoding="utf-8")
    (pytester.path / "test_external.py").write_text(text[1], encoding="utf-8")
    quick = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess("-W", "error", *quick, "test_external.py").assert_outcomes(passed=1)
    sys.modules.pop("external", None)
