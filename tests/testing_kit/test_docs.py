"""The example of docs/testing.md is run as it stands there."""

import re
from pathlib import Path

import pytest

from tests.nested import QUICK

pytest_plugins = ["pytester"]

DOCS = Path(__file__).parents[2] / "docs" / "testing.md"


def test_the_example_works_as_it_is_printed(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", DOCS.read_text(), re.S)
    assert [name for name, _ in blocks] == ["shop.py", "test_shop.py"]
    for name, text in blocks:
        (pytester.path / name).write_text(text)
    result = pytester.runpytest_subprocess("-W", "error", *QUICK)
    result.assert_outcomes(passed=blocks[1][1].count("def test_"))


def test_it_names_what_the_environment_can_do() -> None:
    from stepfast.testing import Environment

    public = {name for name in dir(Environment) if not name.startswith("_")}
    told = set(re.findall(r"env\.(\w+)", DOCS.read_text()))
    assert told <= public
    assert public - told <= {"runs", "crashes"}
