"""What MotoCloud offers to users' tests: fakes, cues, questions, and what it says when used wrongly."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stepfast.deployment.project import PoolSettings, Project
from stepfast.testing import MotoCloud
from tests.cloud.conftest import MakeCloud
from tests.cloud.flows import crunch, deliver, delivery, fetch, linger, squares, vigil
from tests.nested import QUICK

DOCS = Path(__file__).parents[2] / "docs"
pytest_plugins = ["pytester"]


def test_the_example_of_the_documentation_works_as_it_is_printed(pytester: pytest.Pytester) -> None:
    blocks = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (DOCS / "testing.md").read_text(), re.S))
    text = (DOCS / "testing-aws.md").read_text()
    blocks |= dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.S))
    for name in ("shop.py", "test_cloud.py"):
        (pytester.path / name).write_text(blocks[name])
    pytester.runpytest_subprocess("-W", "error", *QUICK, "test_cloud.py").assert_outcomes(passed=2)
    told = set(re.findall(r"cloud\.(\w+)", text)) | set(re.findall(r"`(\w+)`", text))
    assert {name for name in dir(MotoCloud) if not name.startswith("_")} - told == {"request_all"}


def test_a_fake_takes_simulated_time_and_is_called_with_the_arguments(cloud: MotoCloud) -> None:
    cloud.fake(fetch, lambda name: f"fake {name}", takes=timedelta(minutes=2))
    start = cloud.now
    run = cloud.run(delivery, "tea")
    assert run.result == "delivered fake tea"
    assert [one.input for one in run.calls(fetch)] == [{"name": "tea"}]
    assert cloud.now - start > timedelta(minutes=2)


def test_a_fake_that_takes_longer_than_the_timeout_times_out(cloud: MotoCloud) -> None:
    cloud.fake(linger, 1.0, takes=timedelta(minutes=6))
    run = cloud.run(vigil, 1.0)
    assert run.status == "FAILED"
    assert run.error is not None
    assert run.error.type == "StepTimeout"


def test_a_crash_on_cue_interrupts_the_attempt_and_the_next_one_goes_on(cloud: MotoCloud) -> None:
    cloud.when(before=deliver).crash()
    run = cloud.run(delivery, "tea")
    assert run.result == "delivered fetched tea"
    assert [(one.attempt, one.ended_at is None) for one in run.calls(deliver)] == [(1, True), (2, False)]
    assert [one.outcome for one in cloud.invocations].count("killed") == 1


def test_a_crash_at_a_time_interrupts_whatever_runs(cloud: MotoCloud) -> None:
    run = cloud.start(vigil, 100.0)
    cloud.at(timedelta(seconds=50)).crash()
    assert cloud.run_until(run).status == "SUCCEEDED"
    assert len(run.calls(linger)) == 2


def test_an_end_is_a_cue(cloud: MotoCloud) -> None:
    cloud.fail(deliver, times=3)
    cloud.when(status="FAILED", delay=timedelta(hours=1)).resume()
    run = cloud.start(delivery, "tea")
    cloud.run_until(lambda: run.status == "SUCCEEDED")
    assert run.generation == 1


def test_settings_of_the_project_count(make_cloud: MakeCloud) -> None:
    project = Project(pools={"heavy": PoolSettings(max_concurrency=2)})
    cloud = make_cloud(squares, project=project)
    run = cloud.run(squares, 10)
    calls = run.calls(crunch)
    most = max(sum(a.started_at <= b.started_at < (a.ended_at or a.started_at) for a in calls) for b in calls)
    assert most == 2


def test_a_run_answers_after_the_cloud_is_closed() -> None:
    with MotoCloud(delivery) as cloud:
        run = cloud.run(delivery, "tea")
    assert (run.status, run.result) == ("SUCCEEDED", "delivered fetched tea")
    assert "execution-succeeded" in run.timeline
    assert datetime.now(UTC) < datetime(2029, 12, 1, tzinfo=UTC) or datetime.now(UTC) > cloud.now


def test_a_kill_or_cue_that_never_comes_fails_the_test() -> None:
    with pytest.raises(AssertionError, match=r"kill_at\(500\)"), MotoCloud(delivery) as cloud:
        cloud.kill_at(500)
    with pytest.raises(AssertionError, match="waiting='nobody'"), MotoCloud(delivery) as cloud:
        cloud.when(waiting="nobody").cancel()


def test_wrong_uses_say_what_to_do(cloud: MotoCloud) -> None:
    cloud.run(delivery, "tea")
    with pytest.raises(ValueError, match="has been made already"):
        cloud.kill_at(0)
    with pytest.raises(ValueError, match="there are: api"):
        cloud.skew("nothing", timedelta(minutes=1))
    with pytest.raises(TypeError, match="is not a workflow"):
        cloud.start(fetch)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes functions that have @workflow"):
        MotoCloud("delivery")  # type: ignore[arg-type]


def test_an_endless_execution_is_stopped(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(limit=50)
    with pytest.raises(AssertionError, match="goes on without end"):
        cloud.run(squares, 200)


def test_without_moto_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['moto'] = None\n"
        "import stepfast.testing\n"
        "try:\n    stepfast.testing.MotoCloud\n"
        "except ImportError as error:\n    print(error)\n"
    )
    ended: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "MotoCloud needs moto: pip install 'stepfast[cloud-testing]'"


def test_importing_the_kit_does_not_import_moto() -> None:
    code = "import sys, stepfast.testing; sys.exit('moto' in sys.modules or 'boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
