"""`python -m tests.prose` lists the prose that breaks the rules of the house, and fails if there is any."""

import sys

from tests.prose.linting import findings

problems = findings()
print("\n".join(problems) or "prose: no findings")
sys.exit(bool(problems))
