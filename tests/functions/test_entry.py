"""Around every invocation: when it is built, what the log says, metrics, traces, and errors that tell nothing."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stepfast import current_step, step, workflow
from stepfast.deployment.settings import Settings
from stepfast.errors import StartupError, Unavailable
from stepfast.functions import logs
from stepfast.functions.clients import Clients
from stepfast.functions.entry import EntryPoint, Failed, guarded
from stepfast.functions.host import Handler, Host
from stepfast.functions.metering import EmbeddedMetrics
from tests.functions.conftest import Aws, Context, Counts

SECRET = "hunter2-not-for-logs"
LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "f", "STEPFAST_TABLE": "table", "POWERTOOLS_TRACE_DISABLED": "true"}


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    ours, root = logging.getLogger("stepfast"), logging.getLogger()
    kept = [
        (logger, list(logger.handlers), list(logger.filters), logger.level, logger.propagate) for logger in (ours, root)
    ]
    formatters = [(handler, handler.formatter, list(handler.filters)) for handler in root.handlers]
    yield
    for logger, handlers, filters, level, propagate in kept:
        logger.handlers, logger.filters, logger.propagate = handlers, filters, propagate
        logger.setLevel(level)
    for handler, formatter, filters in formatters:
        handler.formatter, handler.filters = formatter, filters
    for name in ("init", "powertools_handler"):
        vars(ours).pop(name, None)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# -- when it is built ------------------------------------------------------------------------------------------


class Built:
    """A build function that notes what it was called with."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []

    def __call__(self, settings: Settings, clients: Clients, host: Host) -> Handler:
        self.settings.append(settings)
        return lambda event, context: {"event": event}


def test_in_lambda_it_is_built_while_the_sandbox_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    built = Built()
    gc.disable()
    try:
        entry = EntryPoint("authorizer", built)
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
    assert [settings.table for settings in built.settings] == ["table"]
    assert entry({"a": 1}, Context()) == {"event": {"a": 1}}
    assert len(built.settings) == 1


def test_elsewhere_it_is_built_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built()
    entry = EntryPoint("authorizer", built)
    assert built.settings == []
    with pytest.raises(StartupError, match="STEPFAST_TABLE"):
        entry({}, None)
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    assert entry({}, None) == entry({}, None)
    assert len(built.settings) == 1


def test_a_sandbox_that_lacks_settings_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartupError, match="STEPFAST_QUEUES"):
        EntryPoint("advancer", Built())


# -- errors and metrics ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyError(SECRET)])
def test_an_error_that_nobody_foresaw_tells_its_class_and_its_place(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    meter = Counts()

    def handler(event: Any, context: Any) -> Any:
        raise error

    with pytest.raises(Failed) as raised:
        guarded(handler, Host(meter=meter))({}, Context())
    assert str(raised.value) == type(error).__name__
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert "test_entry.py" in caplog.text
    assert SECRET not in caplog.text
    assert meter.flushed == 1


def test_an_error_of_ours_tells_what_to_do() -> None:
    def handler(event: Any, context: Any) -> Any:
        raise Unavailable("the table 'x' did not answer")

    with pytest.raises(Failed, match="the table 'x' did not answer"):
        guarded(handler, Host())({}, None)


def test_metrics_are_lines_of_the_embedded_format(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "stepfast/shop")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "step-pdf")
    meter = EmbeddedMetrics("step")
    meter.flush()
    meter.count("StepAttempts", pool="pdf")
    meter.count("StepAttempts", pool="pdf")
    meter.measure("StepLatency", 12.34, pool="pdf")
    meter.count("ExecutionsSucceeded", workflow="report")
    meter.count("ExecutionsStuck", 0)
    meter.flush()
    meter.flush()
    printed = lines(capsys.readouterr().out)
    directives = [line["_aws"]["CloudWatchMetrics"][0] for line in printed]
    assert {directive["Namespace"] for directive in directives} == {"stepfast/shop"}
    assert [sorted(directive["Dimensions"][0]) for directive in directives] == [
        ["pool", "service"],
        ["service", "workflow"],
        ["service"],
    ]
    assert (printed[0]["StepAttempts"], printed[0]["StepLatency"], printed[0]["pool"]) == ([1.0, 1.0], [12.3], "pdf")
    assert (printed[1]["workflow"], printed[1]["service"]) == ("report", "step-pdf")
    meter.count("StepAttempts", pool="pdf")
    meter.flush()
    (again,) = lines(capsys.readouterr().out)
    assert (again["StepAttempts"], again["pool"], again["service"]) == ([1.0], "pdf", "step-pdf")


# -- the log -----------------------------------------------------------------------------------------------------


@step(timeout=10)
def speaks() -> None:
    current_step().logger.warning("from the step's logger")
    logging.getLogger("somebody.elses.module").warning("from a user's module")


@step(timeout=10)
async def speaks_async() -> None:
    logging.getLogger("somebody.elses.module").warning("from a task")


@workflow("speaking")
async def speaking() -> None:
    await speaks()
    await speaks_async()


def test_every_line_of_an_execution_names_it(
    deploy: Callable[..., Aws], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "step-default")
    output = io.StringIO()
    lambdas_own = logging.StreamHandler(output)
    logging.getLogger().addHandler(lambdas_own)
    logs.configure("step")
    try:
        aws = deploy(speaking, speaks, speaks_async)
        aws.start("speaking", id="mine")
        aws.advance("mine")
        aws.run_steps()
    finally:
        logging.getLogger().removeHandler(lambdas_own)
    ours, theirs = lines(capsys.readouterr().out), lines(output.getvalue())
    texts = {line["message"]: line for line in ours + theirs}
    assert {"from the step's logger", "from a user's module", "from a task"} <= texts.keys()
    for text in ("from the step's logger", "from a user's module", "from a task", "execution mine of speaking started"):
        assert texts[text]["execution_id"] == "mine", text
        assert texts[text]["service"] == "step-default"
        assert texts[text]["function_request_id"] == Context().aws_request_id
    assert texts["from the step's logger"]["attempt"] == 1
    assert len(ours + theirs) == len(texts), "no line is written twice"


def test_lines_of_several_executions_at_once_each_name_their_own() -> None:
    import asyncio

    said: list[str | None] = []

    async def one(id: str) -> None:
        with logs.about(id):
            await asyncio.sleep(0)
            record = logging.LogRecord("stepfast", logging.INFO, "", 0, "said", None, None)
            logs.name_execution(record)
            said.append(vars(record).get("execution_id"))

    async def both() -> None:
        await asyncio.gather(one("a"), one("b"))

    asyncio.run(both())
    assert said == ["a", "b"]


# -- traces ------------------------------------------------------------------------------------------------------


def test_a_trace_holds_neither_answers_nor_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    from aws_lambda_powertools.tracing import Tracer

    asked: dict[str, Any] = {}

    def capture(self: Tracer, handler: Any, **more: Any) -> Any:
        asked.update(more)
        return handler

    monkeypatch.setattr(Tracer, "capture_lambda_handler", capture)
    for name, value in {**LAMBDA, "POWERTOOLS_TRACE_DISABLED": "false"}.items():
        monkeypatch.setenv(name, value)
    EntryPoint("authorizer", Built())({}, None)
    gc.unfreeze()
    assert asked == {"capture_response": False, "capture_error": False}


@pytest.mark.parametrize("way", ["disabled", "not installed"])
def test_without_tracing_its_library_is_not_imported(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**LAMBDA, "POWERTOOLS_TRACE_DISABLED": "true" if way == "disabled" else "false"}.items():
        monkeypatch.setenv(name, value)
    for name in [module for module in sys.modules if module.startswith("aws_xray_sdk")]:
        monkeypatch.delitem(sys.modules, name)
    if way == "not installed":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    EntryPoint("authorizer", Built())({}, None)
    gc.unfreeze()
    assert not any(name.startswith("aws_xray_sdk") for name in sys.modules)


def test_no_test_has_left_lambda_in_the_environment() -> None:
    assert "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
