"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# Time is no test's matter here: machines are shared. In CI the examples are the same every time, so that
# what lands does not depend on luck; elsewhere they are new each time.
settings.register_profile("stepfast", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("stepfast")
