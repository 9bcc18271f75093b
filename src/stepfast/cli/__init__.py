"""The command line: `stepfast dev`, and everything a running stepfast can be asked for."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Runs the command line; exits 0, 1 (the execution failed), 2 (refused), 3 (no server) or 124 (--timeout)."""
    from stepfast.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # prints ? for a character that the terminal's encoding lacks
    app()
