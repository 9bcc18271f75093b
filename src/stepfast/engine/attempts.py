"""Runs the attempts of claimed steps: gives each its context, has it watched, and can stop them all."""

from __future__ import annotations

from stepfast.engine.attempt import OwnedStep
from stepfast.engine.builtin_steps import BuiltinSteps
from stepfast.engine.claims import idempotency_key
from stepfast.engine.looks import EVERY_TIME, LookPace
from stepfast.engine.ports import Clock, Store
from stepfast.engine.step_runner import AttemptCall, AttemptRunner, Ended, Pulse
from stepfast.engine.step_watch import StepWatch
from stepfast.engine.withdrawals import Withdrawals
from stepfast.errors import InvalidRequest, NotStorable
from stepfast.language.context import StepContext
from stepfast.model import Stop
from stepfast.stored_text import text_of


class Attempts:
    """The attempts that are under way in this process."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        runner: AttemptRunner,
        withdrawals: Withdrawals,
        builtin: BuiltinSteps,
        pace: LookPace = EVERY_TIME,
    ) -> None:
        self._store, self._clock, self._runner, self._withdrawals = store, clock, runner, withdrawals
        self._builtin, self._pace = builtin, pace
        self._running: set[OwnedStep] = set()

    async def run(self, run: OwnedStep) -> Ended:
        """Runs one attempt of a claimed step to its end; an input that the step does not take is an error of it."""
        step, record, command = run.step, run.record, run.command
        run.pulse = Pulse()
        input = text_of(record.input) or "{}"
        execution, pulse = run.execution, run.pulse
        # By position, since a call of a class by keywords takes twice the time (CPython 3.11).
        context = StepContext(
            execution.execution_id, command.id, record.attempt, record.generation,
            (record.started_at or self._clock.now()) + step.timeout,
            pulse.beat,
            lambda: idempotency_key(run.execution.run_id, command.id, input),
            execution.run,
            record.first_at or record.started_at or 0.0,
            None, pulse.report, record.progress,
        )  # fmt: skip
        try:
            arguments = step.arguments.decode(input)
        except InvalidRequest as error:
            return Ended(error=NotStorable(str(error)))
        if self._builtin.runs(step):
            return await self._builtin.run(step, arguments.arguments, run.execution)
        watch = StepWatch(self._store, self._clock, self._withdrawals, run, self._pace)
        self._running.add(run)
        try:
            return await self._runner.run(AttemptCall(step, input, arguments, context, run.pulse, watch))
        finally:
            self._running.discard(run)

    def interrupt(self, reason: str) -> int:
        """Stops the attempts that run, since this process is to end; returns how many. From any thread.

        An `async` step is cancelled; its attempt is released, to be tried again at once by whoever comes next. A `def`
        step learns it at its next heartbeat. A step that runs at most once is left to end by itself: call this,
        and then wait for the handling of its message as long as there is time.
        """
        runs = [run for run in list(self._running) if not run.step.at_most_once]
        for run in runs:
            run.pulse.interrupt(Stop(reason))
        return len(runs)
