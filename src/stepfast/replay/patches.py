"""What `patched` has answered in a run, as marks in the order of the execution (rule *patch*). Pure."""

from __future__ import annotations

from collections.abc import Iterable

_NEW, _OLD = ":patched@", ":unpatched@"
"""What the marks begin with. No id of a command begins so."""


def mark_for(patch: str, answer: bool) -> str:
    """What stands for the answer among the applied outcomes of the order."""
    return f"{_NEW if answer else _OLD}{patch}"


def is_mark(id: str) -> bool:
    """Whether this is no id of a command but the mark of a patch."""
    return id.startswith((_NEW, _OLD))


def answers_in(applied: Iterable[str]) -> dict[str, bool]:
    """The answers by patch. Of two marks of a patch the first counts."""
    answers: dict[str, bool] = {}
    for id in applied:
        if is_mark(id):
            answers.setdefault(id.partition("@")[2], id.startswith(_NEW))
    return answers


def marks_in(applied: Iterable[str]) -> list[str]:
    """The marks among the ids, in their order."""
    return [id for id in applied if is_mark(id)]
