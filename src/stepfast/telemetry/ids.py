"""The ids of traces and spans: they follow from what they stand for, so that any process can name any of them.

A step's attempts may run in several processes, and its span is written by whichever records the outcome. All of them
name the span alike, with nothing to hand over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry.trace import TracerProvider

_wanted: ContextVar[tuple[int, int] | None] = ContextVar("stepfast_wanted_ids", default=None)


def trace_id_of(run_id: str) -> int:
    """The trace of a run of an execution: 16 bytes, never 0."""
    return _number(f"trace/{run_id}", 16)


def execution_span_id(run_id: str, generation: int) -> int:
    """The span of an execution: from its start, or from a resume, to its end. 8 bytes, never 0."""
    return _number(f"execution/{run_id}/{generation}", 8)


def step_span_id(run_id: str, command_id: str, began_at: float) -> int:
    """The span of a step: from its first attempt, at this time in seconds since the epoch, to its outcome."""
    return _number(f"step/{run_id}/{command_id}/{round(began_at * 1e6)}", 8)


def signal_span_id(run_id: str, signal_id: str) -> int:
    """The span of a signal that a run of an execution got. 8 bytes, never 0."""
    return _number(f"signal/{run_id}/{signal_id}", 8)


def wait_span_id(run_id: str, command_id: str, generation: int) -> int:
    """The span of a wait for a signal. 8 bytes, never 0."""
    return _number(f"wait/{run_id}/{command_id}/{generation}", 8)


def _number(name: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:size], "big") or 1


class NamedIds:
    """An id generator of the SDK that gives the ids that `named` asks for, and all others as the one before it."""

    def __init__(self, others: Any) -> None:
        self._others = others

    def generate_trace_id(self) -> int:
        wanted = _wanted.get()
        made: int = self._others.generate_trace_id() if wanted is None else wanted[0]
        return made

    def generate_span_id(self) -> int:
        wanted = _wanted.get()
        made: int = self._others.generate_span_id() if wanted is None else wanted[1]
        return made

    def is_trace_id_random(self) -> bool:
        """Whether the last bytes of a trace id are random. Those of a digest are as good as random for a sampler."""
        asked = getattr(self._others, "is_trace_id_random", None)
        return _wanted.get() is not None or (asked is not None and bool(asked()))


def name_ids_of(provider: TracerProvider) -> None:
    """Has a provider of the SDK give the ids that `named` asks for. The API has no way to choose them.

    opentelemetry-sdk keeps its generator in this attribute since 1.0, and hands it to each tracer that it makes.
    """
    generator = getattr(provider, "id_generator", None)
    if generator is not None and not isinstance(generator, NamedIds):
        provider.id_generator = NamedIds(generator)  # type: ignore[attr-defined]


@contextmanager
def named(trace_id: int, span_id: int) -> Iterator[None]:
    """The span that is started in this context gets these ids; the trace's only where it has no parent."""
    token = _wanted.set((trace_id, span_id))
    try:
        yield
    finally:
        _wanted.reset(token)
