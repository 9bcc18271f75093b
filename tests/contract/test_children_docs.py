"""The programs of docs/children.md, which run as they stand, in both homes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
pytest_plugins = ["pytester"]


@pytest.mark.parametrize("kit", ["Environment", "MotoCloud"])
def test_the_programs_of_the_page_work_as_they_are_printed(pytester: pytest.Pytester, kit: str) -> None:
    text = (DOCS / "children.md").read_text(encoding="utf-8")
    programs = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.DOTALL))
    assert list(programs) == ["parcels.py", "test_parcels.py"]
    for name, code in programs.items():
        (pytester.path / name).write_text(code.replace("Environment", kit), encoding="utf-8")
    quick = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess("-W", "error", *quick, "test_parcels.py").assert_outcomes(passed=2)
