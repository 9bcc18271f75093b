"""docs/versioning.md and the tests say the same: each row is the docstring of a test."""

from __future__ import annotations

import re
from pathlib import Path

from tests.versioning import (
    test_changed_commands,
    test_children_edits,
    test_map_edits,
    test_parallel_edits,
    test_patch_edits,
    test_runs,
    test_safe_edits,
)

TABLE = Path(__file__).parents[2] / "docs" / "versioning.md"


def test_each_row_is_a_test_and_each_test_a_row() -> None:
    cells = re.findall(r"^\| (.+?) \| .+ \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    rows = [cell for cell in cells if cell != "edit"]
    modules = (
        *(test_safe_edits, test_parallel_edits, test_changed_commands, test_children_edits, test_map_edits),
        test_runs,
        test_patch_edits,
    )
    tests = [value for module in modules for name, value in vars(module).items() if name.startswith("test_")]
    # A test without a docstring looks at an edit that is a row already.
    assert sorted(rows) == sorted(one.__doc__ for one in tests if one.__doc__)
