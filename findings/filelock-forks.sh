#!/usr/bin/env bash
# filelock 3.32.7 (PyPI), Python 3.11 to 3.13 on Linux: after a bare `import filelock`, os.fork() raises RuntimeError
# in one thread while another thread forks.
#
# Its audit hook (_api.py, _audit_fork_safety) refuses "os.fork" while any thread is between the before-fork and the
# after-fork callbacks, not only the thread that asks. No lock has to be made or held. Two threads that each start a
# multiprocessing process or a ProcessPoolExecutor with the start method "fork" therefore fail at random.
#
# Output seen:
#   without filelock: 0 of 4000 forks refused
#   with filelock: 2995 of 4000 forks refused, RuntimeError: os.fork is unsafe while filelock is changing descriptor ownership
#
# Fails when filelock no longer refuses any.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check filelock==3.32.7

cat > "$work/forks.py" <<'PYTHON'
import os
import sys
import threading
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # of forks in a process with threads, since Python 3.12
if sys.argv[1] == "with":
    import filelock  # noqa: F401

refused = []


def forks():
    for _ in range(1000):
        try:
            child = os.fork()
        except RuntimeError as error:
            refused.append(str(error))
            continue
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)


threads = [threading.Thread(target=forks) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
why = f", RuntimeError: {refused[0]}" if refused else ""
print(f"{sys.argv[1]} filelock: {len(refused)} of 4000 forks refused{why}")
sys.exit(bool(refused) != (sys.argv[1] == "with"))
PYTHON

"$work/venv/bin/python" "$work/forks.py" without
"$work/venv/bin/python" "$work/forks.py" with
