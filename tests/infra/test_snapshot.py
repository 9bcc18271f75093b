"""The stack as it was last agreed on; a change is told in words.

After a change that is meant: `STEPFAST_AGREE=1 pytest tests/infra/test_snapshot.py`, and look at the
difference of tests/infra/stack.txt before it is committed.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from tests.infra.conftest import Synthesized, Template

KEPT = Path(__file__).with_name("stack.txt")
_HASH = re.compile(r"(?<=[a-zA-Z])[0-9A-F]{8}(?=$|[^0-9a-zA-Z])")
# A page's layout is not worth a line each; that it shows what was promised has a test of its own.
_LEFT_OUT = ("DashboardBody",)


def test_the_stack_is_as_it_was_agreed_on(synthesized: Synthesized) -> None:
    current = flat(synthesized.plain)
    if "STEPFAST_AGREE" in os.environ:
        KEPT.write_text("".join(f"{path} = {value}\n" for path, value in sorted(current.items())))
    kept = dict(line.split(" = ", 1) for line in KEPT.read_text().splitlines())
    differences = changes(kept, current)
    assert not differences, "\n".join(["the stack has changed:", *differences])


def test_a_change_is_told_in_words() -> None:
    before = {"Queue.VisibilityTimeout": "60", "Queue.Tag": '"a"', "Table.Billing": '"on demand"'}
    after = {"Queue.VisibilityTimeout": "90", "Table.Billing": '"on demand"', "Topic.Name": '"t"'}
    assert changes(before, after) == [
        'Queue.Tag: "a" is gone',
        "Queue.VisibilityTimeout: 60 became 90",
        'Topic.Name: "t" is new',
    ]


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            lines.append(f"{path}: {before[path]} is gone")
        elif path not in before:
            lines.append(f"{path}: {after[path]} is new")
        elif before[path] != after[path]:
            lines.append(f"{path}: {before[path]} became {after[path]}")
    return lines


def flat(template: Template) -> dict[str, str]:
    """`Resource.Property.Part` to its value, ids without the CDK's hashes, code without its own."""
    values: dict[str, str] = {}
    for name, resource in template["Resources"].items():
        plain = {key: value for key, value in resource.items() if key not in ("Metadata", "DependsOn")}
        _flatten(_plain(name), plain, values)
    for name, output in template["Outputs"].items():
        _flatten(f"Outputs.{name}", output, values)
    return values


def _flatten(path: str, value: Any, into: dict[str, str]) -> None:
    if path.rpartition(".")[2] in _LEFT_OUT:
        return
    inner: Any = ()
    if isinstance(value, dict) and not _is_reference(value):
        inner = value.items()
    elif isinstance(value, list) and any(isinstance(part, dict) and not _is_reference(part) for part in value):
        inner = enumerate(value)
    for key, part in inner:
        _flatten(f"{path}.{key}", part, into)
    if not inner:
        into[path] = _plain(json.dumps(value, sort_keys=True))


def _is_reference(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _plain(text: str) -> str:
    return re.sub(r"[0-9a-f]{64}", "<hash>", _HASH.sub("", text))
