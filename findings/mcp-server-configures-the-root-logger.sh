#!/usr/bin/env bash
# Making an MCPServer of the MCP SDK configures the root logger of the process.
#
# Version: mcp 2.3.0 (PyPI), Python 3.11, November 2026.
# A good guess: a server object that nobody has started leaves the process as it is, as libraries leave logging to the
# application. Seen: the constructor calls logging.basicConfig with a handler for standard error and the level INFO. So
# an application that makes a server object, such as for an in-memory test, prints the INFO lines of all its libraries
# from then on. Its own basicConfig, if that comes later, does nothing.
#   before: 0 handlers, WARNING
#   after: 1 handlers, INFO
#   a library says: shown
#   basicConfig(level=ERROR) later: INFO
# stepfast's tests put the handlers back after they have made a server.
# Needs Python 3.11 or newer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check mcp==2.3.0
cat > logs.py <<'P'
import logging
import sys

from mcp.server.mcpserver import MCPServer

root = logging.getLogger()


def state(when):
    print(f"{when}: {len(root.handlers)} handlers, {logging.getLevelName(root.level)}")


state("before")
MCPServer("shop")
state("after")
shown = logging.getLogger("some.library").isEnabledFor(logging.INFO)
print("a library says:", "shown" if shown else "hidden")
logging.basicConfig(level=logging.ERROR)
print("basicConfig(level=ERROR) later:", logging.getLevelName(root.level))
sys.stdout.flush()
P
venv/bin/python logs.py | tee seen.txt
cat > expected.txt <<'T'
before: 0 handlers, WARNING
after: 1 handlers, INFO
a library says: shown
basicConfig(level=ERROR) later: INFO
T
diff expected.txt seen.txt
echo "as described"
