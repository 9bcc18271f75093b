"""The command line as a user runs it: real processes, a real `stepfast dev`, a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.waiting import until

STEPFAST = str(Path(sys.executable).with_name("stepfast"))
pytestmark = pytest.mark.slow


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEPFAST_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


def run(*arguments: str, cwd: Path, code: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
    env = environment(**more.pop("env", {}))
    done = subprocess.run([STEPFAST, *arguments], cwd=cwd, env=env, text=True, capture_output=True, timeout=60, **more)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@contextmanager
def dev(
    folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`stepfast dev` on a free port; yields its address when it says that it is ready."""
    with (folder / "dev.err").open("w") as errors:
        process = subprocess.Popen(
            [STEPFAST, "dev", "--port", "0", *arguments],
            cwd=folder,
            env=environment(**(env or {})),
            text=True,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    with process, process.stdout:
        try:
            line = process.stdout.readline()
            match = re.search(r"http://\S+", line)
            assert match, (line, (folder / "dev.err").read_text())
            yield match[0], process
        finally:
            process.kill()


OFFLINE = {"UV_OFFLINE": "1", "UV_NO_CACHE": "1"}
"""uv then finds nothing, at once."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    run("init", "shop", cwd=tmp_path, env=OFFLINE)
    return tmp_path / "shop"


def test_a_new_project_passes_its_test_and_runs(project: Path) -> None:
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=project, text=True, capture_output=True, timeout=60
    )
    assert tested.returncode == 0, tested.stdout
    assert 'name = "shop"' in (project / "pyproject.toml").read_text()
    with dev(project) as (url, _):
        arguments = ("run", "hello", '{"names": ["Ada", "Bob"]}', "--wait")
        done = run(*arguments, cwd=project, env={"STEPFAST_URL": url})
        assert json.loads(done.stdout) == ["Hello, Ada!", "Hello, Bob!"]
        assert done.stderr.splitlines()[0].startswith("started ")
        assert (project / ".stepfast" / "dev.db").exists()
    assert "without effect" not in (project / "dev.err").read_text()


@pytest.mark.slow
def test_a_new_project_installs_as_its_readme_says(project: Path, tmp_path: Path) -> None:
    assert "pip install -e '.[dev]'" in (project / "README.md").read_text()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(project)]
    done = subprocess.run(command, text=True, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("*.whl")] == ["shop-0.1.0-py3-none-any.whl"]


def test_init_overwrites_nothing(project: Path) -> None:
    (project / "README.md").write_text("mine")
    refused = run("init", str(project), cwd=project, code=2)
    assert "exists already" in refused.stderr
    assert (project / "README.md").read_text() == "mine"
    blocked = project / "file"
    blocked.write_text("")
    assert "cannot write" in run("init", str(blocked), cwd=project, code=2).stderr


@pytest.mark.parametrize("link", ["README.md", "constraints.txt", "workflows", "infra", "tests/test_hello.py"])
@pytest.mark.parametrize("dangles", [True, False])
def test_init_writes_through_no_link(tmp_path: Path, link: str, dangles: bool) -> None:
    shop, elsewhere = tmp_path / "shop", tmp_path / "elsewhere"
    (shop / link).parent.mkdir(parents=True)
    if not dangles:
        elsewhere.mkdir()
    (shop / link).symlink_to(elsewhere)
    refused = run("init", "shop", cwd=tmp_path, env=OFFLINE, code=2)
    assert "is a link" in refused.stderr
    assert list(elsewhere.iterdir()) == [] if elsewhere.exists() else dangles
    assert not (shop / "pyproject.toml").exists()


def test_a_new_project_has_its_packages_pinned_by_hash_also_without_an_index(project: Path) -> None:
    lines = (project / "constraints.txt").read_text().splitlines()
    pinned = [line for line in lines if "==" in line]
    assert {"pydantic", "boto3", "aws-lambda-powertools"} <= {requirement.partition("==")[0] for requirement in pinned}
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)
    assert "python -m stepfast.infra.lock" in lines[1]
    assert "python -m stepfast.infra.lock" in (project / "README.md").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_dev_ends_cleanly_when_told_to(project: Path, number: int) -> None:
    with dev(project) as (url, process):
        run("run", "hello", '{"names": []}', "--wait", "--url", url, cwd=project)
        process.send_signal(number)
        assert process.wait(20) == 0
    assert "Traceback" not in (project / "dev.err").read_text()


def test_dev_that_cannot_start_says_why_on_one_line(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        used = run("dev", "--port", port, cwd=project, code=2)
    (project / "broken").mkdir()
    (project / "broken" / "flow.py").write_text("def x(:\n")
    with dev(project):
        cases = [
            (used, "choose another --port"),
            (
                run("dev", "--workflows", "nowhere", "--port", "0", cwd=project, code=2),
                "no workflows folder at nowhere",
            ),
            (run("dev", "--workflows", "broken", "--port", "0", cwd=project, code=2), "flow.py, line 1"),
            (run("dev", "--host", "0.0.0.0", "--port", "0", cwd=project, code=2), "STEPFAST_API_KEYS"),
            (run("dev", "--port", "0", cwd=project, code=2), "in use by another stepfast"),
            (
                run("dev", "--port", "0", cwd=project, code=2, env={"STEPFAST_API_KEYS": "a,,b"}),
                "empty or unprintable key",
            ),
        ]
    for done, said in cases:
        *logged, why = done.stderr.splitlines()
        assert why.startswith("stepfast: "), done.stderr
        assert said in why
        assert all(" INFO stepfast." in line for line in logged), done.stderr
        assert done.stdout == ""
    for arguments in (["--port", "70000"], ["--durability", "none"], ["--workers", "0"]):
        run("dev", *arguments, cwd=project, code=2)


def test_with_api_keys_only_their_holders_get_in(project: Path) -> None:
    with dev(project, env={"STEPFAST_API_KEYS": "one,two"}) as (url, _):
        refused = run("list", "--url", url, cwd=project, code=2)
        assert "API key" in refused.stderr
        assert run("list", "--url", url, cwd=project, env={"STEPFAST_API_KEY": "two"}).stdout == "no executions\n"


def test_dev_answers_a_body_that_is_too_large_with_a_problem(project: Path) -> None:
    with dev(project) as (url, _):
        content = b'{"input": "' + b"x" * 10 * 1024 * 1024 + b'"}'
        headers = {"content-type": "application/json"}
        answer = httpx.post(f"{url}/v1/workflows/hello/executions", content=content, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:stepfast:problem:body-too-large")


def test_a_wait_outlasts_kill_9_and_restart_of_the_server(project: Path) -> None:
    (project / "workflows" / "slow.py").write_text(
        "import time\nfrom pathlib import Path\nfrom stepfast import step, workflow\n\n"
        "@step\ndef wait() -> str:\n    while not Path('go').exists():\n        time.sleep(0.01)\n"
        "    return 'gone on'\n\n"
        "@workflow('slow')\nasync def slow() -> str:\n    return await wait()\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with dev(project, "--port", port) as (url, process):
        waiting = subprocess.Popen(
            [STEPFAST, "run", "slow", "--wait", "--id", "s", "--url", url],
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
        )
        until(lambda: '"RUNNING"' in run("list", "--json", "--url", url, cwd=project).stdout)
        process.kill()
        process.wait()
    with dev(project, "--port", port), waiting:
        (project / "go").touch()
        stdout, _ = waiting.communicate(timeout=60)
        assert (waiting.returncode, json.loads(stdout)) == (0, "gone on")


def test_a_closed_pipe_is_no_error(project: Path) -> None:
    with dev(project) as (url, _):
        for _ in range(3):
            run("run", "hello", '{"names": ["a"]}', "--wait", "--url", url, cwd=project)
        listing = subprocess.Popen(
            [STEPFAST, "list", "--json", "--url", url],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert listing.stdout is not None
        listing.stdout.close()
        assert listing.stderr is not None
        errors = listing.stderr.read().decode()
        listing.stderr.close()
        listing.wait(20)
        assert "Traceback" not in errors


def on_terminal(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Runs a command on a terminal of its own; returns its exit code and what the terminal got."""
    controller, terminal = pty.openpty()
    env = environment(TERM="xterm-256color", COLUMNS="120", LINES="40")
    process = subprocess.Popen(
        [STEPFAST, *arguments], cwd=cwd, env=env, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    got, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([controller], [], [], 0.1)[0]:
            try:
                part = os.read(controller, 65536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not part:
                break
            got += part
    code = process.wait(10)
    os.close(controller)
    return code, got.decode()


def test_on_a_terminal_waiting_shows_the_steps_live_and_data_stays_data(project: Path) -> None:
    with dev(project) as (url, _):
        names = json.dumps({"names": ["[red]A\x1b]0;owned\x07", "B"]})
        code, got = on_terminal("run", "hello", names, "--wait", "--id", "t", "--url", url, cwd=project)
        assert code == 0
        assert "greet#2" in got
        assert "✓ SUCCEEDED" in got
        assert "\x1b]0;" not in got
        assert "\x07" not in got
        assert r"[red]A\u001b]0;owned\u0007" in got
        code, got = on_terminal("show", "t", "--url", url, cwd=project)
        assert (code, "\x1b]0;" in got) == (0, False)


def test_ctrl_c_while_watching_leaves_without_a_traceback(project: Path) -> None:
    (project / "workflows" / "waits.py").write_text(
        "from stepfast import signal, workflow\n\n"
        "@workflow('waits')\nasync def waits() -> None:\n    await signal('go')\n"
    )
    with dev(project) as (url, _):
        run("run", "waits", "--id", "w", "--url", url, cwd=project)
        watching = subprocess.Popen(
            [STEPFAST, "watch", "w", "--url", url],
            env=environment(),
            text=True,
            # A shell starts what runs in its background with SIGINT ignored, and so do all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with watching:
            assert watching.stdout is not None
            assert "signal:go" in watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            _, errors = watching.communicate(timeout=20)
        assert watching.returncode == 130
        assert "Traceback" not in errors
