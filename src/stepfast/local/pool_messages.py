"""What a server and a process of a pool send each other, as pickles: both run the same code, and trust each other.

Values travel as the JSON text of their codecs. Of an exception its description travels, and not the exception itself,
which need not survive pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stepfast.model import Failure

Key = tuple[str, str, str]
"""What identifies a step in two processes: its name, the module of its function, and the function's qualified name."""


@dataclass(frozen=True, slots=True)
class PoolSetup:
    """The first message to a process. modules: those that define workflows or steps. steps: those of the pool."""

    modules: tuple[str, ...]
    steps: frozenset[Key]
    log_levels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RunStep:
    """An attempt to run. number: of the call. beat_seconds: the time between two `CallBeat` messages, at least."""

    number: int
    key: Key
    input: str
    execution_id: str
    step_id: str
    attempt: int
    generation: int
    deadline_at: float
    idempotency_key: str
    beat_seconds: float
    run: int = 1
    began_at: float = 0.0
    reported: str | None = None
    carrier: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StopStep:
    """What the next heartbeat of this call raises; None: the attempt may go on after all."""

    number: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class PoolReady:
    """The process has imported the code. steps: those that it has found."""

    steps: frozenset[Key]


@dataclass(frozen=True, slots=True)
class CallBeat:
    """The step of this call has called `heartbeat()`. progress: JSON text of what it has reported last."""

    number: int
    progress: str | None = None


@dataclass(frozen=True, slots=True)
class RaisedError:
    """An exception, as far as a retry policy reads it.

    classes: its class and the bases of it, nearest first, each as module and qualified name. message: its text.
    seconds: of a RetryAfter. members: of an exception group.
    """

    classes: tuple[tuple[str, str], ...]
    message: str
    seconds: float | None = None
    members: tuple[RaisedError, ...] = ()


@dataclass(frozen=True, slots=True)
class CallDone:
    """The end of a call: the text of its result, or what it raised with the description to store.

    progress: as of CallBeat. unknown: the process does not find the step, and has called nothing.
    """

    number: int
    unknown: bool = False
    output: str | None = None
    raised: RaisedError | None = None
    failure: Failure | None = None
    progress: str | None = None


@dataclass(frozen=True, slots=True)
class PoolLog:
    """A log record: its attributes, with the message formatted and all values plain."""

    attributes: Mapping[str, Any] = field(default_factory=dict)


FromProcess = PoolReady | CallBeat | CallDone | PoolLog
