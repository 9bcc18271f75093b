"""Closes the async generators of a workflow where asyncio closes them, and in the same order in every replay.

asyncio closes a generator that is dropped half way (left by `break`) in a task of its own, and the generators that are
left when the workflow ends. Python reports generators by two hooks: their first iteration, and their finalizer. When
the last reference goes, the finalizer runs at the same point of the code in every replay. When the garbage collector
finds a generator in a cycle, the finalizer runs anywhere: such a generator is kept, and closed when the workflow ends.
"""

from __future__ import annotations

import contextvars
import types
import weakref
from dataclasses import dataclass
from typing import Any, Protocol

from stepfast.collector import is_collecting
from stepfast.replay.asyncio_internals import get_running_loop

PRUNE = 256
Generator = types.AsyncGeneratorType[Any, Any]


@dataclass(slots=True, eq=False)
class HeldGenerator:
    """A generator that has begun: the command path of its clean-up, and the context that it runs in.

    weak: a weak reference, so that the generator is finalized when the code drops it.
    kept: a strong reference to a generator that the garbage collector has found.
    closing: the awaitable of its clean-up, from the moment that the clean-up is asked for.
    """

    path: str
    context: contextvars.Context
    weak: weakref.ref[Generator]
    kept: Generator | None = None
    closing: Any = None

    @property
    def generator(self) -> Generator | None:
        return self.kept if self.kept is not None else self.weak()


class GeneratorLoop(Protocol):
    """The loop as its generators see it."""

    def place(self, name: str) -> tuple[str, contextvars.Context]:
        """The next command path for a name, and the context, of the task that runs."""

    def close_soon(self, held: HeldGenerator) -> None:
        """Called in workflow code for a dropped generator that has to be closed."""

    def abandon(self, generator: Generator) -> None:
        """Called for a generator of a discarded loop, at any time in any thread."""


class Generators:
    """The generators of one loop."""

    def __init__(self, loop: GeneratorLoop) -> None:
        self._loop = loop
        self._held: dict[int, HeldGenerator] = {}  # by id(), in the order of their first iteration
        self._prune_at = PRUNE

    def first_iteration(self, generator: Any) -> None:
        """The hook that Python calls when a generator is iterated for the first time."""
        if len(self._held) >= self._prune_at:
            self._held = {id: held for id, held in self._held.items() if held.generator is not None}
            self._prune_at = max(PRUNE, 2 * len(self._held))
        path, context = self._loop.place(f"{generator.__name__}:finally")
        self._held.pop(id(generator), None)  # an older generator at the same address has ended
        self._held[id(generator)] = HeldGenerator(path, context, weakref.ref(generator))

    def finalize(self, generator: Any) -> None:
        """The hook that Python calls when the last reference to a generator is gone."""
        held = self._held.get(id(generator))
        running: object = get_running_loop()
        if held is None:
            self._loop.abandon(generator)
        elif running is not self._loop or is_collecting():
            held.kept = generator
        else:
            held.kept, held.closing = generator, generator.aclose()
            self._loop.close_soon(held)

    def take(self) -> list[HeldGenerator]:
        """Begins the clean-up of all generators that are left; returns them in the order of their first iteration."""
        taken = [held for held in self._held.values() if held.closing is None and held.generator is not None]
        for held in taken:
            held.kept = held.generator
            held.closing = held.kept.aclose() if held.kept is not None else None
        return taken

    def drain(self) -> list[HeldGenerator]:
        """All generators, also those whose clean-up has begun, newest first. None is tracked from now on."""
        every = [held for held in self._held.values() if held.generator is not None]
        for held in every:
            held.kept = held.generator
        self._held = {}
        return every[::-1]
