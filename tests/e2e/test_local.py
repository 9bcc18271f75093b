"""`make deploy-local`, where it cannot begin."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress

from tests.e2e.emulator import ROOT
from tests.e2e.local import PORT


def test_a_port_that_is_taken_is_named_in_one_line() -> None:
    with socket.socket() as one:
        with suppress(OSError):  # somebody else has it, which will do
            one.bind(("127.0.0.1", PORT))
            one.listen()
        command = [sys.executable, "-m", "tests.e2e.local"]
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {PORT} is taken" in done.stderr
    assert "Traceback" not in done.stderr
