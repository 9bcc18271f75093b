"""README's commands, typed as they stand there: a new environment, an empty folder, nothing else installed or set."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stepfast.client import Client
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PORT = 8787
"""The address that the README names is the default."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def blocks(text: str) -> list[list[str]]:
    """The commands of every `sh` block, without their comments."""
    found = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [[re.sub(r"\s+#.*", "", line).rstrip() for line in block.splitlines() if line.strip()] for block in found]


@contextmanager
def in_background(command: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A command of its own terminal, until it serves; ended with Ctrl-C."""
    with (folder / "terminal.log").open("a") as log:
        process = subprocess.Popen(
            command, shell=True, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                    break
            assert process.poll() is None, (folder / "terminal.log").read_text()
            time.sleep(0.1)
        else:
            raise AssertionError(f"{command} has not begun to serve within a minute")
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A new virtual environment with `pip install .`, and nothing of this process's own environment."""
    home = tmp_path_factory.mktemp("newcomer")
    subprocess.run(
        [sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, home / "venv"], check=True
    )
    source = home / "stepfast"
    ignored = shutil.ignore_patterns(".git", ".venv", ".cache", ".stepfast", "node_modules", "build", ".*_cache")
    shutil.copytree(ROOT, source, ignore=ignored)
    python = home / "venv/bin/python"
    install = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python),
        "-c",
        str(ROOT / "constraints.txt"),
    ]
    subprocess.run([*install, str(source)], check=True, timeout=300)
    return {
        "PATH": f"{home / 'venv/bin'}{os.pathsep}{os.defpath}",
        "HOME": str(home),
        "VIRTUAL_ENV": str(home / "venv"),
    }


def test_the_first_screen_goes_on_after_its_crash(tmp_path: Path) -> None:
    install, crash, *_ = blocks(README)
    assert install == ["pip install stepfast", "mkdir -p shop/workflows && cd shop"]
    subprocess.run(install[1], shell=True, cwd=tmp_path, check=True)
    folder = tmp_path / "shop"
    program, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (folder / "workflows/order.py").write_text(program.replace("sleep(10)", "sleep(1)"))
    dev, ready, run, kill, again, ready_again, wait, stop = crash
    assert dev == again == "stepfast dev &"
    assert ready == ready_again == "until stepfast list > /dev/null 2>&1; do sleep 1; done"
    assert (kill, stop) == ("sleep 2; kill -9 $!", "kill $!")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    executable = Path(sys.executable).with_name("stepfast")
    there = {"PATH": f"{executable.parent}{os.pathsep}{os.defpath}", "HOME": str(tmp_path), "STEPFAST_URL": url}
    log = folder / "terminal.log"

    def serve() -> subprocess.Popen[bytes]:
        command = [*shlex.split(dev.partition(" &")[0]), "--port", str(port)]
        with log.open("ab") as output:
            server = subprocess.Popen(
                command, cwd=folder, env=there, stdout=output, stderr=output, executable=executable
            )
        subprocess.run(ready, shell=True, cwd=folder, env=there, check=True, timeout=60)
        return server

    def recorded() -> bool:
        with Client(url) as client:
            return bool(client.execution("A-1").commands(status="SUCCEEDED", step="charge")["total"])

    server = serve()
    try:
        subprocess.run(run, shell=True, cwd=folder, env=there, check=True, timeout=60)
        until(recorded)
        server.kill()
        server.wait(30)
        server = serve()
        result = subprocess.run(wait, shell=True, cwd=folder, env=there, capture_output=True, text=True, timeout=60)
        assert result.stdout == '"receipt of A-1, shipped"\n', result.stderr
    finally:
        server.terminate()
        server.wait(30)
    assert log.read_text().count("charging A-1\n") == 1


def test_doctor_finds_the_new_installation_in_order(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        "stepfast doctor --json", shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    checks = {check["check"]: check for check in json.loads(done.stdout)["checks"]}
    assert (checks["python"]["outcome"], checks["packages"]["outcome"]) == ("OK", "OK"), done.stdout
    assert checks["extras"]["text"].startswith("complete: none; not installed: agents, aws, ")


@pytest.mark.xdist_group("port-8787")
def test_the_first_workflow_goes_as_the_readme_tells_it(environment: dict[str, str], tmp_path: Path) -> None:
    *_, first, second = blocks(README)
    assert first == ["pip install stepfast", "stepfast init hello && cd hello", "stepfast dev"]
    subprocess.run(first[1], shell=True, cwd=tmp_path, env=environment, check=True, timeout=60)
    folder = tmp_path / "hello"
    _, workflow = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (folder / "workflows/welcome.py").write_text(workflow)
    printed = {}
    with in_background(first[2], folder, environment):
        for command in second:
            done = subprocess.run(
                command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
            )
            printed[command.split("'")[0].strip()] = done.stdout + done.stderr
            assert done.returncode == (1 if command.endswith("--wait") else 0), (command, done.stdout, done.stderr)
    assert "failed in step 'send_mail'" in printed["stepfast run welcome"]
    assert "ann" in printed["stepfast dead-letters list"]
    assert "FileNotFoundError" in printed["stepfast show ann"]
    assert "SUCCEEDED" in printed["stepfast watch ann"]
    (line,) = (folder / "outbox/mail.txt").read_text().splitlines()
    assert re.fullmatch(r"to account-\w{4}: Welcome! Shall we call you\?", line)


def test_a_new_project_does_what_its_readme_says(environment: dict[str, str], tmp_path: Path) -> None:
    subprocess.run("stepfast init shop", shell=True, cwd=tmp_path, env=environment, check=True, timeout=60)
    folder = tmp_path / "shop"
    python = Path(environment["VIRTUAL_ENV"]) / "bin/python"
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, "pytest"], check=True, timeout=120
    )
    tested = subprocess.run("pytest -q", shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout
    assert re.search(r"\d+ passed", tested.stdout)
