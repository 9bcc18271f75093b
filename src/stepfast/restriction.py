"""What an API key is limited to: executions of some workflows, with some labels. Pure; the authorizer imports it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from stepfast.records import dataclass

_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}\*?")
"""The name of a workflow, or the beginning of names with a star behind it."""
_LABEL_KEY = re.compile(r"[^\x00-\x1f\x7f:=]{1,128}")
_LABEL_VALUE = re.compile(r"[^\x00-\x1f\x7f]{0,128}")
MAX_KEY_PATTERNS = 20
MAX_KEY_LABELS = 10


@dataclass(frozen=True, slots=True)
class Restriction:
    """The executions that a key is for.

    workflows: names, or beginnings of names with a star behind them; with none, all workflows. labels: all of them must
    be among those of the execution.
    """

    workflows: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.workflows or self.labels)

    def takes_workflow(self, name: str) -> bool:
        """Whether the key is for executions of this workflow."""
        return is_among(name, self.workflows)

    def takes(self, workflow: str, labels: Mapping[str, str]) -> bool:
        """Whether the key is for an execution of this workflow with these labels."""
        return self.takes_workflow(workflow) and self.labels.items() <= labels.items()

    def as_json(self) -> dict[str, Any]:
        """The form in which a restriction is stored and sent."""
        return {"workflows": list(self.workflows), "labels": dict(self.labels)}

    @classmethod
    def of_json(cls, value: Any) -> Restriction:
        """Reads what `as_json` has made. Raises ValueError for anything else: a wrong limit must not be no limit."""
        if not isinstance(value, Mapping) or value.keys() - {"workflows", "labels"}:
            raise ValueError("a restriction is an object with workflows and labels")
        workflows, labels = value.get("workflows", []), value.get("labels", {})
        if not isinstance(workflows, list) or not isinstance(labels, Mapping):
            raise ValueError("workflows is a list, and labels an object")
        made = cls(tuple(workflows), dict(labels))
        if problem := made.problem():
            raise ValueError(problem)
        return made

    def problem(self) -> str | None:
        """What is wrong with it, in words for the person who has written it; None if nothing is."""
        for pattern in self.workflows:
            if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
                return f"{pattern!r} is no workflow: write a name, or how names begin with a star at the end: report-*"
        for key, value in self.labels.items():
            texts = isinstance(key, str) and isinstance(value, str)
            if not texts or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
                return f"{key}={value} is no label: write key=value, such as team=billing"
        if len(self.workflows) > MAX_KEY_PATTERNS or len(self.labels) > MAX_KEY_LABELS:
            return f"a key is limited to at most {MAX_KEY_PATTERNS} workflows and {MAX_KEY_LABELS} labels"
        return None


NONE = Restriction()
"""Of a key that is limited to nothing."""


def is_among(name: str, patterns: Iterable[str]) -> bool:
    """Whether a workflow's name is one of the patterns; any name is where there are none."""
    patterns = tuple(patterns)
    return not patterns or any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns
    )


def text_of(restriction: Restriction) -> str:
    """The restriction as JSON text."""
    return json.dumps(restriction.as_json(), sort_keys=True)


def read(text: str) -> Restriction:
    """Reads what `text_of` has made. Raises ValueError."""
    return Restriction.of_json(json.loads(text))
