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
    """A moment in the future; its methods say what happens then.

    `execution` is whose moment it is, unless you name another. An error of what happens then (WrongStatus,
    say, when the execution has ended by then) comes out of the call that was running the environment.
    """

    def __init__(
        self,
        kit: CueTarget,
        crash: Callable[[str, timedelta], None],
        put: Callable[[Callable[[str], object], str], None],
    ) -> None:
        self._kit, self._crash, self._put = kit, crash, put

    def signal(self, name: str, payload: Any = None, *, execution: Target | None = None) -> None:
        """Sends a signal; the payload as in Environment.signal."""
        self._put(lambda id: self._kit.signal(execution or id, name, payload), f".signal({name!r})")

    def cancel(self, *, execution: Target | None = None) -> None:
        """Cancels the execution."""
        self._put(lambda id: self._kit.cancel(execution or id), ".cancel()")

    def resume(self, *, execution: Target | None = None, steps: Sequence[str] | None = None) -> None:
        """Resumes the execution, which must have FAILED by then; steps: ids of the commands to run again."""
        self._put(lambda id: self._kit.resume(execution or id, steps), ".resume()")

    def crash(self, *, down: timedelta = timedelta(seconds=1)) -> None:
        """Has the process die; the next one goes on from what is stored, `down` later."""
        self._put(lambda id: self._crash(id, down), ".crash()")

    def do(self, function: Callable[[], object]) -> None:
        """Calls a function: an outage ends, a server comes up, a fake is changed."""
        self._put(lambda id: function(), ".do(…)")
