"""Writes spans of executions and steps as they end, and counts them: a listener of the store, and a runner of steps.

A span is written with its outcome, never by a replay, and its id follows from what it stands for (ids.py). A crash
right after the write of an outcome leaves its span out. Spans have no inputs, results or messages of errors: these may
quote what people have sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TracerProvider,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stepfast.engine import caller
from stepfast.engine.observed import StoreListener
from stepfast.engine.signalling import name_of_link
from stepfast.engine.step_runner import AttemptCall, AttemptRunner, Ended
from stepfast.model import Execution, Failure, Record, Signal, run_id_of, run_of
from stepfast.replay.handlers import SIGNAL as UPDATES
from stepfast.telemetry.attached import attached
from stepfast.telemetry.ids import (
    execution_span_id,
    name_ids_of,
    named,
    signal_span_id,
    step_span_id,
    trace_id_of,
    wait_span_id,
)
from stepfast.telemetry.measures import Measures

NAME = "stepfast"
"""The instrumentation scope of all spans and metrics."""
_PROPAGATOR = TraceContextTextMapPropagator()


class Telemetry(StoreListener):
    """Hears what is written to a store, and makes spans and metrics of it.

    provider, meters: the providers that spans and metrics go to. None: those that are set globally, which may be later.
    """

    def __init__(self, provider: TracerProvider | None = None, meters: MeterProvider | None = None) -> None:
        self._chosen = provider
        self._tracers: dict[int, Tracer] = {}
        self._measures = Measures(meters)

    # -- what was written ------------------------------------------------------------------------------------

    def on_started(self, execution: Execution) -> None:
        self._measures.started(execution)

    def on_attempt(self, execution_id: str, record: Record) -> None:
        """The record of a step was written. execution_id: the name of its run in the store."""
        self._measures.attempt(record)
        if not record.recorded or record.attempt == 0:
            return
        began = record.first_at or record.started_at or record.ended_at or 0.0
        span = self._tracer.start_span
        with named(trace_id_of(execution_id), step_span_id(execution_id, record.id, began)):
            step = span(
                record.name,
                context=self._inside(execution_id, record.generation),
                start_time=_nanoseconds(began),
                attributes={
                    "stepfast.execution.id": run_of(execution_id)[0],
                    "stepfast.step.id": record.id,
                    "stepfast.step.attempts": record.attempt,
                },
            )
        for attempt in record.attempts:
            details: dict[str, str | int] = {"stepfast.attempt": attempt.number}
            if attempt.error is not None:
                details["error.type"] = _kind_of(attempt.error)
            step.add_event("attempt failed", details, _nanoseconds(attempt.ended_at or attempt.started_at))
        if record.started_at is not None:
            step.add_event("attempt started", {"stepfast.attempt": record.attempt}, _nanoseconds(record.started_at))
        if record.status == "FAILED" and record.error is not None:
            step.set_attribute("error.type", _kind_of(record.error))
            step.set_status(Status(StatusCode.ERROR, record.error.type))
        step.end(_nanoseconds(record.ended_at or began))

    def on_due(self, execution_id: str, record: Record, due: float) -> None:
        self._measures.due(record, due)

    def on_signal(self, execution: Execution, signal: Signal) -> None:
        """A span of no length where the execution got it, with a link to who has sent it."""
        run_id, at = execution.run_id, _nanoseconds(signal.received_at)
        kind, name = "signal", name_of_link(signal.name) or signal.name
        if name == UPDATES:
            kind, name = "update", json.loads(signal.payload)["name"]
        with named(trace_id_of(run_id), signal_span_id(run_id, signal.signal_id)):
            span = self._tracer.start_span(
                f"{kind} {name}",
                context=self._inside(run_id, execution.generation),
                kind=SpanKind.CONSUMER,
                links=_links_to_caller(caller.traceparent()),
                start_time=at,
                attributes={
                    "stepfast.execution.id": execution.execution_id,
                    "stepfast.signal.id": signal.signal_id,
                },
            )
        span.end(at)

    def on_waited(self, execution_id: str, record: Record) -> None:
        """A span of the wait, which has the id of the signal that has ended it."""
        self._measures.signal_wait(record)
        ended = record.ended_at or 0.0
        with named(trace_id_of(execution_id), wait_span_id(execution_id, record.id, record.generation)):
            span = self._tracer.start_span(
                f"wait {name_of_link(record.name) or record.name}",
                context=self._inside(execution_id, record.generation),
                start_time=_nanoseconds(ended if record.first_at is None else record.first_at),
                attributes={
                    "stepfast.execution.id": run_of(execution_id)[0],
                    "stepfast.step.id": record.id,
                    "stepfast.signal.id": record.signal or "",
                },
            )
        span.end(_nanoseconds(ended))

    def on_ended(self, execution: Execution) -> None:
        self._measures.ended(execution)
        self._write(execution)

    def on_run_ended(self, execution: Execution) -> None:
        self._write(execution)

    def _write(self, execution: Execution) -> None:
        """Writes the span of an execution, from its start or its last resume to its end."""
        run_id, generation = execution.run_id, execution.generation
        began = execution.resumed_at or execution.run_began_at
        with named(trace_id_of(run_id), execution_span_id(run_id, generation)):
            span = self._tracer.start_span(
                execution.workflow,
                context=Context(),
                links=self._links(execution),
                start_time=_nanoseconds(began),
                attributes={
                    "stepfast.execution.id": execution.execution_id,
                    "stepfast.workflow": execution.workflow,
                    "stepfast.status": "CONTINUED" if execution.continued else execution.status,
                    "stepfast.run": execution.run,
                    "stepfast.resumes": execution.resumes,
                },
            )
        if execution.status == "FAILED" and execution.error is not None:
            span.set_attribute("error.type", _kind_of(execution.error))
            span.set_status(Status(StatusCode.ERROR, execution.error.type))
        span.end(_nanoseconds(execution.ended_at or began))

    def _links(self, execution: Execution) -> list[Link]:
        """To who has started it, the parent of a child, the generation that it was resumed from, the earlier run."""
        links = _links_to_caller(execution.traceparent)
        if execution.link is not None:
            above = self._context_of(execution.link.parent_run, execution.link.generation)
            links.append(Link(above, {"stepfast.link": "parent", "stepfast.step.id": execution.link.command}))
        if execution.resumes > 0:
            before = self._context_of(execution.run_id, execution.generation - 1)
            links.append(Link(before, {"stepfast.link": "resumed"}))
        elif execution.run > 1:
            earlier = self._context_of(run_id_of(execution.execution_id, execution.run - 1), execution.generation - 1)
            links.append(Link(earlier, {"stepfast.link": "earlier run"}))
        return links

    # -- what runs -------------------------------------------------------------------------------------------

    def runner(self, runner: AttemptRunner) -> AttemptRunner:
        """Runs attempts inside the spans of their steps, so that spans of what a step calls hang there."""
        return _TracedRunner(self, runner)

    def step_carrier(self, call: AttemptCall) -> Mapping[str, str]:
        """The step's span as W3C headers."""
        context, carrier = call.context, dict[str, str]()
        run_id = run_id_of(context.execution_id, context.run)
        span_id = step_span_id(run_id, context.step_id, context.began_at)
        parent = SpanContext(trace_id_of(run_id), span_id, False, self._flags(run_id))
        _PROPAGATOR.inject(carrier, set_span_in_context(NonRecordingSpan(parent), Context()))
        return carrier

    # -- spans by name ---------------------------------------------------------------------------------------

    @property
    def _provider(self) -> TracerProvider:
        return self._chosen or trace.get_tracer_provider()

    @property
    def _tracer(self) -> Tracer:
        provider = self._provider
        tracer = self._tracers.get(id(provider))
        if tracer is None:
            name_ids_of(provider)  # before the tracer is made, which keeps its generator
            tracer = self._tracers[id(provider)] = provider.get_tracer(NAME)
        return tracer

    def _inside(self, run_id: str, generation: int) -> Context:
        return set_span_in_context(NonRecordingSpan(self._context_of(run_id, generation)), Context())

    def _context_of(self, run_id: str, generation: int) -> SpanContext:
        """The span of an execution, which some process writes when it ends."""
        return SpanContext(trace_id_of(run_id), execution_span_id(run_id, generation), True, self._flags(run_id))

    def _flags(self, run_id: str) -> TraceFlags:
        """Whether the trace is sampled, by the provider's sampler, which decides by the trace's id alone."""
        sampler = getattr(self._provider, "sampler", None)
        if sampler is not None and not sampler.should_sample(Context(), trace_id_of(run_id), "").decision.is_sampled():
            return TraceFlags(TraceFlags.DEFAULT)
        return TraceFlags(TraceFlags.SAMPLED)


class _TracedRunner:
    def __init__(self, telemetry: Telemetry, runner: AttemptRunner) -> None:
        self._telemetry, self._runner = telemetry, runner

    async def run(self, call: AttemptCall) -> Ended:
        carrier = self._telemetry.step_carrier(call)
        with attached(carrier):  # the runner gives the step a copy of this context
            return await self._runner.run(replace(call, context=replace(call.context, carrier=carrier)))


def _links_to_caller(traceparent: str | None) -> list[Link]:
    if traceparent is None:
        return []
    span = trace.get_current_span(_PROPAGATOR.extract({"traceparent": traceparent}, Context()))
    return [Link(span.get_span_context(), {"stepfast.link": "caller"})]


def _kind_of(failure: Failure) -> str:
    return failure.error_class or failure.type


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
