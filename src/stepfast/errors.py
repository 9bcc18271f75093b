"""Every exception of stepfast, grouped by what happens because of it.

StepfastError
├── Refused                 the caller's mistake; nothing was written
│   ├── InvalidRequest
│   ├── UnknownWorkflow
│   ├── ExecutionNotFound
│   ├── ExecutionConflict
│   ├── WrongStatus
│   └── TooManySignals
├── DefinitionError         the program's mistake, found before anything runs
├── FailsExecution          the execution becomes FAILED and can be resumed
│   ├── NonDeterministic
│   ├── ForbiddenInWorkflow
│   ├── Deadlock
│   └── NotStorable
├── FailsStep               raised in or about a step
│   ├── StepFailed          what workflow code sees of a failed step
│   ├── RetryAfter          raised by a step: try again, then
│   ├── GiveUp              raised by a step: never try again
│   ├── StepTimeout
│   ├── StepInterrupted
│   └── StepCancelled
└── Unavailable             nobody's mistake: try again later
    └── StartupError        the runtime cannot start; says what to do
"""

from __future__ import annotations


class StepfastError(Exception):
    """Root of everything stepfast raises."""


class Refused(StepfastError):
    """A request that was not carried out; nothing was written."""


class InvalidRequest(Refused):
    """Input that does not fit its type; `fields` lists (path, message) pairs."""

    def __init__(self, message: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class UnknownWorkflow(Refused):
    """No workflow of this name is deployed."""


class ExecutionNotFound(Refused):
    """No execution has this id."""


class ExecutionConflict(Refused):
    """The execution id is taken by another workflow or another input."""


class WrongStatus(Refused):
    """The execution's status does not allow what was asked."""

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class TooManySignals(Refused):
    """The execution has got as many signals, or as many bytes of them, as the settings allow."""

    @classmethod
    def for_execution(cls, execution_id: str, count: int, bytes: int) -> TooManySignals:
        return cls(
            f"execution {execution_id!r} takes no more signals: it gets at most {count:,} of them and {bytes:,} bytes "
            "in all; raise max_signals or max_signal_bytes in [tool.stepfast], or send references to large values"
        )


class DefinitionError(StepfastError):
    """A workflow or step that cannot work as it is written."""


class FailsExecution(StepfastError):
    """Workflow code did what it must not; the execution is FAILED and resumable once mended."""


class NonDeterministic(FailsExecution):
    """The code asks for something else than what this execution has recorded."""


class ForbiddenInWorkflow(FailsExecution):
    """I/O, threads or a foreign event loop in workflow code; such work belongs in a step."""


class Deadlock(FailsExecution):
    """The workflow waits for something that no step, timer or signal will bring."""


class NotStorable(FailsExecution):
    """A value that has no faithful JSON form; `path` leads to the offending field."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class FailsStep(StepfastError):
    """Raised in a step, or on behalf of one."""


class StepFailed(FailsStep):
    """What workflow code sees of a step that failed for good.

    `step` is the step's name, `step_id` its command id, `error_type` the class name of the step's
    own exception, `message` its text, `attempts` how many times it was tried.
    """

    def __init__(self, step: str, step_id: str, error_type: str, message: str, attempts: int) -> None:
        super().__init__(f"step {step!r} failed after {attempts} attempt(s): {error_type}: {message}")
        self.step = step
        self.step_id = step_id
        self.error_type = error_type
        self.message = message
        self.attempts = attempts


class RetryAfter(FailsStep):
    """Raise it in a step to be tried again after `seconds`, whatever the policy's own delay.

    Attempts and the policy's total time limit still count. Meant for a 429's Retry-After header.
    """

    def __init__(self, seconds: float, message: str = "") -> None:
        super().__init__(message or f"asked to try again after {seconds:g} s")
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"RetryAfter takes a finite number of seconds from 0 up, not {seconds!r}")
        self.seconds = float(seconds)


class GiveUp(FailsStep):
    """Raise it in a step whose failure no retry can mend; the step fails at once."""


class StepTimeout(FailsStep):
    """An attempt ran longer than the step's timeout, or went longer without a heartbeat than declared."""


class StepInterrupted(FailsStep):
    """The process running the step died in the middle of it, and it must not, or not again, be rerun."""


class StepCancelled(FailsStep):
    """Raised by heartbeat(): the execution has ended or another worker owns the step; stop working."""


class Unavailable(StepfastError):
    """The store or a queue did not answer; nothing is lost, the same call may work later."""


class StartupError(Unavailable):
    """The runtime cannot start as asked; the message says what to do."""
