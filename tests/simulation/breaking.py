"""How the mutants of test_invariants.py break the engine: by its own text, with a piece replaced."""

from __future__ import annotations

import inspect
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest

from stepfast.engine import resuming, rewind, worker
from tests.simulation.family_watch import Violation

Patch = pytest.MonkeyPatch
Wrong = Callable[[Patch], None]
Run = TypeVar("Run")

WRONG: dict[str, tuple[str, str, Wrong]] = {}
"""By name: the invariant that is broken, the workflow that shows it soonest, and what goes wrong."""


def breaks(invariant: str, workflow: str) -> Callable[[Wrong], Wrong]:
    def put(wrong: Wrong) -> Wrong:
        WRONG[wrong.__name__] = invariant, workflow, wrong
        return wrong

    return put


def edited(patch: Patch, owner: Any, name: str, *changes: tuple[str, str]) -> None:
    """The engine's function with pieces of its text replaced."""
    function = getattr(owner, name)
    text = "from __future__ import annotations\n" + textwrap.dedent(inspect.getsource(function))
    for old, new in changes:
        assert text.count(old) == 1, f"{name} has changed: break it anew where it says {old!r}"
        text = text.replace(old, new)
    namespace: dict[str, Any] = {}
    exec(compile(text, name, "exec"), function.__globals__, namespace)
    patch.setattr(owner, name, namespace[name])


def handled(patch: Patch, change: Callable[[Any], Any]) -> None:
    """Workers whose dispositions are others than they should be."""
    right = worker.Worker.handle

    async def handle(self: Any, delivery: Any, read: Any = None) -> Any:
        return change(await right(self, delivery, read))

    patch.setattr(worker.Worker, "handle", handle)


def rewound(patch: Patch, change: Callable[[rewind.Rewind, Any], rewind.Rewind]) -> None:
    """Resumes that are planned otherwise than they should be."""
    patch.setattr(
        resuming, "rewind", lambda workflow, snapshot, now: change(rewind.rewind(workflow, snapshot, now), snapshot)
    )


def shown(
    invariant: str,
    wrong: Wrong,
    patch: Patch,
    runs: Sequence[Run],
    played: Callable[[Run], object],
    record_property: Callable[[str, object], None],
) -> None:
    """Breaks the engine, and runs worlds until one shows that the invariant is broken. AssertionError if none does.

    runs: the first is the one that has shown it soonest; if another does now, that is reported as the one to remember.
    """
    wrong(patch)
    seen = Counter[str]()
    for run in runs:
        try:
            played(run)
        except Violation as violation:
            seen[violation.invariant] += 1
        except Exception as error:
            seen[type(error).__name__] += 1
        if invariant in seen:
            if run != runs[0]:
                record_property("seed to remember", f"{wrong.__name__}: {run}")
            return
    raise AssertionError(f"{invariant} is not noticed to be broken; seen were {seen}")


def noticed(played: Callable[[int], object], first: int, many: int = 60, *more: type[Exception]) -> bool:
    """Whether a broken engine shows in a world: that of the seed which shows it soonest, or one of many others.

    more: exceptions that show it, in addition to AssertionError.
    """

    shows: tuple[type[Exception], ...] = (AssertionError, *more)

    def broken(seed: int) -> bool:
        try:
            played(seed)
        except shows:
            return True
        return False

    def seeds() -> Iterator[int]:
        yield first
        yield from (seed for seed in range(many) if seed != first)

    return any(broken(seed) for seed in seeds())
