#!/usr/bin/env bash
# Installing langgraph makes every run of pytest in the environment import langsmith and pydantic.
#
# Versions: langgraph 1.2.24, langsmith 0.15.1, pytest 9.2.0 (PyPI), Python 3.11, November 2026.
# A good guess: a library that a project uses costs the runs of tests that import it. Seen: langgraph needs
# langchain-core, which needs langsmith, whose entry point langsmith_plugin pytest loads at each start. The plugin imports
# langsmith.testing, and with it pydantic, before any test is collected, also for a test that imports nothing.
#   installed: langsmith True, pydantic True
#   with -p no:langsmith_plugin: langsmith False, pydantic False
# Seen here as a second per start of pytest. stepfast's settings for pytest have -p no:langsmith_plugin.
# Needs Python 3.11 or newer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check langgraph==1.2.24 langsmith==0.15.1 pytest==9.2.0
cat > test_nothing.py <<'P'
import sys


def test_nothing():
    names = ("langsmith", "pydantic")
    with open("seen.txt", "a") as file:
        file.write(", ".join(f"{name} {name in sys.modules}" for name in names) + "\n")
P
# Plugins that other packages bring, such as anyio's, stay in both runs.
venv/bin/python -m pytest -q -p no:cacheprovider test_nothing.py > /dev/null
venv/bin/python -m pytest -q -p no:cacheprovider -p no:langsmith_plugin test_nothing.py > /dev/null
sed -i '1s/^/installed: /; 2s/^/with -p no:langsmith_plugin: /' seen.txt
cat seen.txt
cat > expected.txt <<'T'
installed: langsmith True, pydantic True
with -p no:langsmith_plugin: langsmith False, pydantic False
T
diff expected.txt seen.txt
echo "as described"
