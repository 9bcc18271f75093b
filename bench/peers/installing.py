"""The peers' packages at the versions compared with, each in an environment of its own under .stepfast/bench."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.bed import PLACE
from bench.imports import IMPORT
from bench.peers.restate_engine import server_binary

INSTALL_TIMEOUT_SECONDS = 300.0
NODE = PLACE / "node"


class NotHere(Exception):
    """A peer cannot be installed or run on this machine; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine to compare with: its packages, the module that runs the work, and its import statement."""

    name: str
    program: str
    imported: str
    """The import statement of a workflow's module."""
    packages: tuple[str, ...] = ()
    server: str | None = None
    """An npm package with the binary of a server."""
    durable: bool = True
    options: tuple[str, ...] = ()
    """Arguments of the engine's module beside its folder and the server."""

    def python(self) -> Path:
        """The Python of the engine's environment, which is made if it is missing. Raises NotHere."""
        if not self.packages:
            return Path(sys.executable)
        place = PLACE / self.program.removesuffix("_engine")
        _once(place, self.packages, lambda: _environment(place, self.packages))
        return place / "bin" / "python"

    def arguments(self) -> list[str]:
        """The arguments of the engine's module beside its folder. Raises NotHere."""
        if self.server is None:
            return list(self.options)
        package = self.server
        _once(NODE, (package,), lambda: _node_package(package))
        try:
            return [str(server_binary(NODE / "node_modules"))]
        except StopIteration:
            raise NotHere(f"{package} has no server for this kind of machine") from None


PEERS = (
    Peer("stepfast", "stepfast_engine", IMPORT),
    Peer(
        "Restate 1.7.12",
        "restate_engine",
        "import restate",
        ("restate-sdk==1.3.0", "hypercorn==0.18.0", "httpx==0.28.1"),
        server="@restatedev/restate-server@1.7.12",
    ),
    Peer("DBOS 3.4.0, SQLite", "dbos_engine", "import dbos", ("dbos==3.4.0",)),
    Peer("DBOS 3.4.0, PostgreSQL", "dbos_engine", "import dbos", ("dbos==3.4.0",), options=("postgres",)),
    Peer(
        "AWS runner 1.4.0, memory only",
        "aws_engine",
        "import aws_durable_execution_sdk_python",
        ("aws-durable-execution-sdk-python-testing==1.4.0",),
        durable=False,
    ),
)

LEFT_OUT = {
    "Temporal": "its server is no package of PyPI, npm or Debian; the SDK (temporalio 1.35.0) fetches it from a site",
    "Inngest": "its npm package (inngest-cli 1.45.1) fetches the server from a site",
    "Hatchet": "its server comes as a container image",
    "Step Functions": "a service of AWS",
    "Lambda durable functions": "a service of AWS; its test runner, in memory, is the AWS runner",
}
"""The engines that cannot be run with packages of PyPI, npm and Debian alone, and why."""


def _once(place: Path, packages: tuple[str, ...], install: Callable[[], None]) -> None:
    """Installs packages into a folder, unless the folder already holds exactly these packages."""
    mark = place / "installed.txt"
    wanted = "\n".join(packages)
    if mark.is_file() and mark.read_text() == wanted:
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    install()
    mark.write_text(wanted)


def _environment(place: Path, packages: tuple[str, ...]) -> None:
    _run([sys.executable, "-m", "venv", str(place)])
    _run([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages])


def _node_package(package: str) -> None:
    if shutil.which("npm") is None:
        raise NotHere("npm is not installed")
    # Without its scripts: the server comes as a package of its own, the rest is usage statistics.
    options = ["--prefix", str(NODE), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run(["npm", "install", *options, package])


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotHere(f"installing took longer than {INSTALL_TIMEOUT_SECONDS:g} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise NotHere(f"installing failed: {said[-1]}")
