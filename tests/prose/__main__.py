"""Checks the prose of the repository: `python -m tests.prose` lists what breaks the house's rules and fails if any does."""

import sys

from tests.prose.linting import findings

problems = findings()
print("\n".join(problems) or "prose: no findings")
sys.exit(bool(problems))
