"""The plan: numbers that fit together, derived from the workflows, and errors that name what does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfast import step
from stepfast.deployment.plan import LAMBDA_MAX_SECONDS, FunctionPlan, Plan, PoolPlan
from stepfast.deployment.project import PoolSettings, Project
from stepfast.deployment.settings import NEEDS
from stepfast.engine.claims import LEASE_MARGIN
from stepfast.errors import StartupError
from stepfast.language.registry import Registry, discover
from stepfast.language.steps import Step


def a_step(name: str, pool: str = "default", timeout: float = 300.0) -> Step[..., Any]:
    @step(name=name, pool=pool, timeout=timeout)
    def made() -> None: ...

    return made


def plan(*steps: Step[..., Any], **tool: Any) -> Plan:
    return Plan.of(Registry([], steps), Project.of(tool))


@pytest.mark.parametrize(
    ("timeouts", "seconds"),
    [([], 70), ([1.0], 71), ([30.0, 300.0], 370), ([0.5], 71), ([830.0], 900), ([889.5], 900), ([890.0], 900)],
)
def test_a_pools_function_has_time_for_its_longest_step_its_lease_and_a_chain(
    timeouts: list[float], seconds: int
) -> None:
    made = plan(*(a_step(f"s{number}", timeout=seconds) for number, seconds in enumerate(timeouts)))
    pool = made.pools["default"]
    assert pool.function.timeout == seconds
    assert pool.function.timeout >= max(timeouts, default=0) + LEASE_MARGIN
    assert pool.queue.visibility == seconds + 30


def test_a_step_that_fits_no_function_is_named_with_its_limit() -> None:
    with pytest.raises(StartupError, match=r"step 'slow' in pool 'big' has a timeout of 891 s, .* at most 890 s"):
        plan(a_step("quick", "big", 1.0), a_step("slow", "big", 891.0))


def test_a_timeout_that_is_set_must_fit_the_steps_too() -> None:
    made = plan(a_step("s", "pdf", 100.0), pools={"pdf": {"timeout": 600}})
    assert made.pools["pdf"].function.timeout == 600
    with pytest.raises(StartupError, match=r"step 's' in pool 'pdf' .*at most 90 s.*\[tool.stepfast.pools.pdf\]"):
        plan(a_step("s", "pdf", 100.0), pools={"pdf": {"timeout": 100}})


def test_pools_come_from_the_steps_and_have_sensible_settings() -> None:
    made = plan(a_step("a"), a_step("b", "pdf"), a_step("c", "pdf"))
    assert sorted(made.pools) == ["default", "pdf"]
    pdf = made.pools["pdf"]
    assert (pdf.function.memory, pdf.queue.batch_size, pdf.queue.max_concurrency) == (256, 1, None)
    assert pdf.queue.max_receive_count == 1000
    assert (pdf.steps, pdf.function.name) == (("b", "c"), "step-pdf")
    assert pdf.function.handler == "stepfast.functions.step.handler"


def test_a_pools_settings_are_taken() -> None:
    tool = {"memory": 2048, "max_concurrency": 5, "batch_size": 4, "provisioned": 1, "environment": {"A": "b"}}
    pool = plan(a_step("a", "pdf"), pools={"pdf": tool}).pools["pdf"]
    assert (pool.function.memory, pool.function.environment["A"], pool.function.provisioned) == (2048, "b", 1)
    assert (pool.queue.max_concurrency, pool.queue.batch_size) == (5, 4)


def test_a_setting_for_a_pool_that_no_step_names_is_an_error() -> None:
    with pytest.raises(StartupError, match=r"\[tool.stepfast.pools.pfd\].*there are: default, pdf"):
        plan(a_step("a", "pdf"), pools={"pfd": {}})


def test_an_empty_folder_of_workflows_has_a_plan() -> None:
    assert list(plan().pools) == ["default"]


def test_the_functions_and_their_handlers() -> None:
    import importlib

    assert {*plan().functions, "step", "events"} == set(NEEDS)
    made = Plan.of(Registry([]), Project(event_bus="default"))
    assert {*made.functions, "step"} == set(NEEDS)
    for function in (*made.functions.values(), made.pools["default"].function):
        module, _, name = function.handler.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
        assert function.timeout <= LAMBDA_MAX_SECONDS
    assert made.functions["api"].timeout < 30, "the gateway gives up then"


def test_every_queue_hides_a_message_for_longer_than_its_function_runs() -> None:
    made = plan(a_step("a", timeout=890.0))
    for queue, function in (
        (made.timer_queue, made.functions["timer"]),
        (made.park_queue, made.functions["resume"]),
        (made.pools["default"].queue, made.pools["default"].function),
    ):
        assert queue.visibility > function.timeout
    assert made.park_queue.max_receive_count == 1


def test_the_stream_is_filtered_and_tries_a_record_for_as_long_as_the_stream_has_it() -> None:
    stream = plan(parallelization=3).stream
    assert (stream.batch_size, stream.window, stream.parallelization, stream.bisect) == (100, 0, 3, True)
    assert stream.starting_position == "TRIM_HORIZON"
    assert 22 * 3600 < stream.max_age < 24 * 3600
    wake, expiry = json.loads(json.dumps([dict(pattern) for pattern in stream.filters]))
    assert wake == {"dynamodb": {"NewImage": {"wake": {"N": [{"exists": True}]}}}}
    assert expiry["eventName"] == ["REMOVE"]


def test_the_sweep_ends_before_the_next_one_begins() -> None:
    for minutes in (2, 5, 60):
        made = plan(sweep_minutes=minutes)
        assert made.sweep_every == minutes * 60
        assert made.functions["sweeper"].timeout < made.sweep_every


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: {"timer_queue": replace(made.timer_queue, visibility=60)}, "timer comes back after 60 s"),
        (lambda made: {"park_queue": replace(made.park_queue, max_receive_count=2)}, "by its first receive"),
        (lambda made: {"sweep_every": 60}, "a sweep may still run"),
        (lambda made: {"functions": slower(made, "api", 30)}, "the gateway gives up after 30 s"),
        (lambda made: {"functions": slower(made, "advancer", 901)}, "advancer may run for 901 s"),
        (lambda made: {"functions": slower(made, "resume", 121)}, "resume comes back after 150 s"),
        (lambda made: {"pools": shortened(made, 370)}, "step-default comes back after 370 s"),
    ],
)
def test_numbers_that_do_not_fit_each_other_make_no_plan(change: Callable[[Plan], dict[str, Any]], said: str) -> None:
    made = plan(a_step("a", timeout=300.0))
    with pytest.raises(StartupError, match=said):
        replace(made, **change(made))


def slower(made: Plan, name: str, seconds: int) -> dict[str, FunctionPlan]:
    return {**made.functions, name: replace(made.functions[name], timeout=seconds)}


def shortened(made: Plan, visibility: int) -> dict[str, PoolPlan]:
    pool = made.pools["default"]
    return {"default": replace(pool, queue=replace(pool.queue, visibility=visibility))}


@given(
    timeouts=st.lists(st.floats(0.001, 890.0), min_size=1, max_size=4),
    set_=st.none() | st.integers(1, 900),
    minutes=st.integers(2, 60),
)
def test_whatever_fits_one_function_hangs_together(timeouts: list[float], set_: int | None, minutes: int) -> None:
    steps = [a_step(f"s{number}", timeout=seconds) for number, seconds in enumerate(timeouts)]
    pools = {"default": {} if set_ is None else {"timeout": set_}}
    try:
        made = plan(*steps, pools=pools, sweep_minutes=minutes).pools["default"]
    except StartupError:
        assert set_ is not None
        assert max(timeouts) + LEASE_MARGIN > set_
        return
    # A lease is over before its function ends, and the function before its message comes back.
    assert max(timeouts) + LEASE_MARGIN <= made.function.timeout < made.queue.visibility


def test_tracing_is_switched_off_where_it_is_not_asked_for() -> None:
    for function in (*plan().functions.values(), plan().pools["default"].function):
        assert function.environment["POWERTOOLS_TRACE_DISABLED"] == "true"
    for function in (*plan(tracing=True).functions.values(), plan(tracing=True).pools["default"].function):
        assert "POWERTOOLS_TRACE_DISABLED" not in function.environment


def test_the_examples_have_a_plan() -> None:
    made = Plan.of(discover(Path(__file__).parents[2] / "workflows"))
    assert sorted(made.pools) == ["default", "pdf"]


# -- [tool.stepfast] -------------------------------------------------------------------------------------------


def read(tmp_path: Path, text: str) -> Project:
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    return Project.read(path)


def test_a_project_without_settings_has_the_defaults(tmp_path: Path) -> None:
    assert Project.read(tmp_path / "pyproject.toml") == Project()
    assert Project.read(tmp_path) == Project()


def test_a_projects_folder_has_its_settings_inside(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.stepfast]\nmemory = 1024\n")
    assert Project.read(tmp_path).memory == Project.read(str(tmp_path)).memory == 1024
    assert read(tmp_path, "") == Project()
    assert read(tmp_path, "[project]\nname = 'x'\n[tool.ruff]\n") == Project()


def test_settings_are_read(tmp_path: Path) -> None:
    made = read(
        tmp_path,
        """
        [tool.stepfast]
        workflows = "flows"
        retention_days = 0
        auth = "iam"
        alarm_email = "ops@example.com"
        [tool.stepfast.pools.pdf]
        memory = 1024
        environment = { FONT = "Vera" }
        """,
    )
    assert (made.workflows, made.retention_days, made.auth) == ("flows", 0, "iam")
    assert made.pools == {"pdf": PoolSettings(memory=1024, environment={"FONT": "Vera"})}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.stepfast]\nretention = 1", r"no setting 'retention'; it has: workflows"),
        ("[tool.stepfast]\nretention_days = -1", "retention_days is a whole number from 0"),
        ("[tool.stepfast]\nretention_days = true", "retention_days is a whole number from 0"),
        ("[tool.stepfast]\nretention_days = '90'", "retention_days is a whole number from 0"),
        ("[tool.stepfast]\nlog_retention_days = 31", "log_retention_days is one of 1, 3, 5"),
        ("[tool.stepfast]\nlog_retention_days = true", "log_retention_days is one of"),
        ("[tool.stepfast]\nauth = 'none'", "auth is one of keys, iam"),
        ("[tool.stepfast]\nalarm_email = 'ops'", "alarm_email is an e-mail address"),
        ("[tool.stepfast]\ntracing = 1", "tracing is true or false"),
        ("[tool.stepfast]\nworkflows = ''", "workflows is the path of a folder in the project"),
        ("[tool.stepfast]\nworkflows = '.'", "workflows is the path of a folder in the project"),
        ("[tool.stepfast]\nworkflows = '../flows'", "workflows is the path of a folder in the project"),
        ("[tool.stepfast]\nworkflows = '/srv/flows'", "workflows is the path of a folder in the project"),
        ("[tool.stepfast]\nworkflows = 'src\\flows'", "workflows is the path of a folder in the project"),
        ("[tool.stepfast]\ndomain_name = 'https://flows.example.com'", "domain_name is the name of a host"),
        ("[tool.stepfast]\ndomain_name = 'flows'", "domain_name is the name of a host"),
        ("[tool.stepfast]\ncertificate = 'flows.pem'", "certificate is the ARN of a certificate"),
        ("[tool.stepfast]\nvpc = 'main'", "vpc is the id of a VPC"),
        ("[tool.stepfast]\nbucket = 'Values'", "bucket is the name of a bucket"),
        ("[tool.stepfast]\nbucket = 's3://values'", "bucket is the name of a bucket"),
        ("[tool.stepfast]\ntable_stream = 'shop'", "table_stream is the ARN of a table's stream"),
        ("[tool.stepfast]\nparallelization = 11", "parallelization is a whole number from 1 to 10"),
        ("[tool.stepfast]\nauthorizer_cache = -1", "authorizer_cache is a whole number from 0 to 3600"),
        ("[tool.stepfast]\nlisting_shards = 0", "listing_shards is a whole number from 1"),
        ("[tool.stepfast]\nsweep_minutes = 1", "sweep_minutes is a whole number from 2 to 60"),
        ("[tool.stepfast]\nmemory = 1", "memory is a whole number from 128"),
        ("[tool.stepfast]\nsnap_start = 'yes'", "snap_start is true or false"),
        ("[tool.stepfast]\nlog_values = 'no'", "log_values is true or false"),
        ("[tool.stepfast.pools.pdf]\nprovisioned = -1", "provisioned is a whole number from 0"),
        ("[tool.stepfast]\npools = 1", r"\[tool.stepfast.pools\] is a table"),
        ("[tool.stepfast.pools]\npdf = 1", r"\[tool.stepfast.pools.pdf\] is a table"),
        ("[tool.stepfast.pools.pdf]\nmemori = 1", r"\[tool.stepfast.pools.pdf\] has no setting 'memori'"),
        ("[tool.stepfast.pools.pdf]\nmemory = 64", "memory is a whole number from 128"),
        ("[tool.stepfast.pools.pdf]\nmax_concurrency = 1", "max_concurrency is a whole number from 2"),
        ("[tool.stepfast.pools.pdf]\nbatch_size = 11", "batch_size is a whole number from 1 to 10"),
        ("[tool.stepfast.pools.pdf]\ntimeout = 901", "timeout is a whole number from 1 to 900"),
        ("[tool.stepfast.pools.pdf]\nenvironment = { A = 1 }", "environment is a table of texts"),
        ("[tool.stepfast.pools.pdf.environment]\nSTEPFAST_TABLE = 'x'", "'STEPFAST_TABLE' cannot be set"),
        ("[tool.stepfast.pools.pdf.environment]\nAWS_REGION = 'x'", "'AWS_REGION' cannot be set"),
        ("[tool.stepfast.pools.pdf.environment]\n'a-b' = 'x'", "'a-b' cannot be set"),
        ("[tool.stepfast", "is not TOML"),
        ("tool = 1", r"\[tool\] is a table"),
        ("[tool]\nstepfast = 'x'", r"\[tool.stepfast\] is a table"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StartupError, match=said):
        read(tmp_path, text)
