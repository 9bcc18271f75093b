"""The example of docs/map.md, as it is printed, and its tables."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from stepfast.language.map_items import MAX_BATCH
from stepfast.language.map_reports import MAX_FAILURES
from stepfast.testing import Environment

DOCS = (Path(__file__).parents[2] / "docs" / "map.md").read_text(encoding="utf-8")


def example() -> Any:
    (text,) = re.findall(r"```python\n# receipts\.py\n(.*?)```", DOCS, re.DOTALL)
    module = ModuleType("receipts")
    exec(compile(text, "docs/map.md", "exec"), module.__dict__)
    return module


def test_the_example_reports_what_failed(tmp_path: Path) -> None:
    receipts, file = example(), tmp_path / "orders.jsonl"
    good = '{"id": 1, "email": "a@example.com"}\n'
    file.write_text(good * 199 + "broken\n")
    with Environment(receipts.receipts) as env:
        env.fake(receipts.send_receipt, "sent")
        run = env.run(receipts.receipts, str(file))
        assert run.result == 199
        assert [call.input for call in run.calls(receipts.tell_support)] == [
            {"text": "line 200: is not JSON: expected value at column 1"}
        ]
        file.write_text("broken\n")
        run = env.run(receipts.receipts, str(file))
        assert run.error is not None
        assert run.error.message == (
            "map_items(send_receipt): 1 of 1 items failed, and 1.00% may fail: "
            "line 1: InvalidItem: is not JSON: expected value at column 1"
        )


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"1 to {MAX_BATCH:,}" in DOCS
    assert f"the first {MAX_FAILURES:,} items that failed" in DOCS
