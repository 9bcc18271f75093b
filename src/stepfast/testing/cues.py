"""Cues: signals, cancels, resumes, crashes and calls of functions, at a moment that a test has named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

from stepfast.testing.runs import Run

Target = Run[Any] | str


class CueTarget(Protocol):
    """The kit, as far as a cue calls it."""

    def signal(self, execution: Target, name: str, payload: Any = None) -> None: ...
    def cancel(self, execution: Target) -> None: ...
    def resume(self, execution: Target, steps: Sequence[str] | None = None) -> None: ...


class Cue:
    """A moment in the future. Each call of a method adds something that happens at that moment.

    A method acts on the execution whose moment it is, unless `execution` names another, by its Run or its id. An
    exception of what happens at the moment, such as WrongStatus because the execution has ended by then, comes out of
    the call that runs the environment.
    """

    def __init__(
        self,
        kit: CueTarget,
        crash: Callable[[str, timedelta], None],
        put: Callable[[Callable[[str], object], str], None],
    ) -> None:
        self._kit, self._crash, self._put = kit, crash, put

    def signal(self, name: str, payload: Any = None, *, execution: Target | None = None) -> None:
        """Sends the signal `name` with this `payload`, a model or plain JSON values, to the `execution`."""
        self._put(lambda id: self._kit.signal(execution or id, name, payload), f".signal({name!r})")

    def cancel(self, *, execution: Target | None = None) -> None:
        """Cancels the `execution`."""
        self._put(lambda id: self._kit.cancel(execution or id), ".cancel()")

    def resume(self, *, execution: Target | None = None, steps: Sequence[str] | None = None) -> None:
        """Resumes the `execution`, which must be FAILED by then.

        steps: the ids of the commands to run again, in place of the failed steps behind the failure.
        """
        self._put(lambda id: self._kit.resume(execution or id, steps), ".resume()")

    def crash(self, *, down: timedelta = timedelta(seconds=1)) -> None:
        """Makes the process die. The next process starts `down` later and continues from what is stored."""
        self._put(lambda id: self._crash(id, down), ".crash()")

    def do(self, function: Callable[[], object]) -> None:
        """Calls a `function` without arguments: an outage ends, a server starts, a fake changes."""
        self._put(lambda id: function(), ".do(…)")
