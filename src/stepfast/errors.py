"""Every exception of stepfast, grouped by what happens because of it.

StepfastError
├── Refused                 the caller's mistake; nothing was written
│   ├── InvalidRequest
│   ├── UnknownWorkflow
│   ├── ExecutionNotFound
│   ├── ExecutionConflict
│   ├── ExecutionDeleted    never leaves the engine
│   ├── WrongStatus
│   ├── TooManySignals
│   └── NotAllowed          from stepfast.Client: the API key or the host name was refused
├── DefinitionError         the program's mistake, found before anything runs
├── FailsExecution          the execution becomes FAILED and can be resumed
│   ├── NonDeterministic
│   ├── ForbiddenInWorkflow
│   ├── Deadlock
│   ├── NeverAwaited
│   ├── StepNotDeployed
│   └── NotStorable
├── FailsStep               raised in or about a step
│   ├── StepFailed          what workflow code sees of a failed step
│   ├── RetryAfter          raised by a step: try again, then
│   ├── GiveUp              raised by a step: never try again
│   │   └── NoServer        from stepfast.Client in a test: no server is behind it
│   ├── StepTimeout
│   ├── StepInterrupted
│   └── StepCancelled
├── StartupError            an operator must fix the fault that the message names: waiting does not help
│   └── Misconfigured       found while running: a permission, a name, a file that cannot be written
├── Unavailable             nobody's mistake: it passes, try again later
│   └── Unreachable         from stepfast.Client: the server's address gave no answer
├── ExecutionFailed         from stepfast.Client: the execution is FAILED and can be resumed
├── ExecutionCancelled      from stepfast.Client: the execution was cancelled and has no result
└── ForeignMessage          never leaves the queue handlers: a message that this version cannot read

The classes of stepfast.Client are in stepfast.client, and ForeignMessage is in stepfast.backends.aws.messages.

These classes stand outside the tree on purpose. User code never needs to catch them:

| class | module | why it is no StepfastError |
|---|---|---|
| TooLate | cli.following | The command line turns it into an exit code. |
| Kept | functions.batches | It asks Powertools to leave a record in its queue. |
| Failed | functions.entry | It tells Lambda that the invocation failed and hides the payload. |
| Rejected | http.problems | It carries the answer to a request that does not reach the engine. |
| Unreadable | http.gateway | It carries the answer to a request that cannot become an event. |
| ClientGone | http.gateway | The client has disconnected, and nobody waits for the answer. |
| Closed | replay.loop | It ends discarded workflow code, so `except Exception` must not catch it. |
| SandboxEnded | simulator.sandbox | It ends a simulated sandbox, so `except Exception` must not catch it. |
| TimedOut | simulator.sandbox | It ends a sandbox at Lambda's timeout. It is a SandboxEnded. |
| Died | testing.points | It ends a simulated process, so `except Exception` must not catch it. |
| Stalled | testing.points | It fails a user's test, so it is an AssertionError. |
| NotRepeatable | testing.replays | It fails a user's test, so it is an AssertionError. |
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's own, which takes longer to import than all of this module
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any


PROBLEM_URN = "urn:stepfast:problem:"
"""What the `type` of every problem of the HTTP API begins with; the server writes it and the client reads it."""


class StepfastError(Exception):
    """Root of all exceptions of stepfast. All of them survive pickle and copy, whatever their constructors take."""

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException's own would call the constructor with the text, which is not what most constructors take.
        return _restored, (type(self), self.args), self.__dict__.copy()


def _restored(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception as its constructor left it, without running the constructor; pickle adds the attributes."""
    return kind.__new__(kind, *args)


class Refused(StepfastError):
    """A request that was not carried out; nothing was written."""


class InvalidRequest(Refused):
    """Input that does not fit its type; `fields` lists (path, message) pairs, `total` says how many there were.

    If there are many faults, `fields` has the first ones.
    """

    def __init__(self, message: str, fields: tuple[tuple[str, str], ...] = (), total: int | None = None) -> None:
        super().__init__(message)
        self.fields = fields
        self.total = len(fields) if total is None else total


class UnknownWorkflow(Refused):
    """No workflow of this name is deployed."""


class ExecutionNotFound(Refused):
    """No execution has this id."""


class ExecutionConflict(Refused):
    """The execution id is taken by another workflow or another input."""


class ExecutionDeleted(Refused):
    """An execution of this id was deleted; a new one begins with a later generation than `generation`.

    The store reports it to the engine, which then starts the execution with that generation. Callers never see it.
    """

    def __init__(self, execution_id: str, generation: int) -> None:
        super().__init__(f"an execution {execution_id!r} of generation {generation} was deleted")
        self.execution_id = execution_id
        self.generation = generation


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
            f"execution {execution_id!r} accepts no more signals: the limits are {count:,} signals and {bytes:,} bytes "
            "in all; raise max_signals or max_signal_bytes in [tool.stepfast], or send references to large values"
        )


class DefinitionError(StepfastError):
    """A workflow or step that cannot work as it is written."""


class FailsExecution(StepfastError):
    """Workflow code did what it must not; the execution is FAILED, and can be resumed after a fix."""


class NonDeterministic(FailsExecution):
    """The code asks for something else than what this execution has recorded."""


class ForbiddenInWorkflow(FailsExecution):
    """I/O, threads or a foreign event loop in workflow code; such work belongs in a step."""


class Deadlock(FailsExecution):
    """The workflow waits for something that no step, timer or signal will bring."""


class NeverAwaited(FailsExecution):
    """The workflow called a step or made a coroutine that it never awaited, or a task failed that nothing awaited."""


class StepNotDeployed(FailsExecution):
    """The workflow asks for a step that this deployment has no queue or not enough time for."""


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
    own exception, `message` its text, `attempts` how many times it was tried. `error_class` is the class with
    its module, such as "billing.errors.Declined", and tells two classes of one name apart; that of a class
    which is built into Python is its name alone, and so is what version 0.1 recorded. `bases` are the classes that
    it is derived from, nearest first; empty for a class that is built into Python or is one of stepfast's own.
    """

    def __init__(
        self,
        step: str,
        step_id: str,
        error_type: str,
        message: str,
        attempts: int,
        error_class: str | None = None,
        bases: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"step {step!r} failed after {attempts} attempt(s): {error_type}: {message}")
        self.step = step
        self.step_id = step_id
        self.error_type = error_type
        self.error_class = error_class or error_type
        self.message = message
        self.attempts = attempts
        self.bases = bases

    def is_a(self, kind: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
        """Whether the step's own exception was of this class, of one derived from it, or of one of several.

        Like isinstance(), by what the record says of the exception, so that a replay answers the same. Classes are
        told apart by module and name: one that was moved or renamed since is another class.
        """
        if isinstance(kind, tuple):
            return any(self.is_a(one) for one in kind)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(f"is_a() takes an exception class, or a tuple of them, not {kind!r}")
        named = class_of(kind)
        return any(named == one or _is_known_as(one, kind) for one in (self.error_class, *self.bases))


class RetryAfter(FailsStep):
    """Raise it in a step to be tried again after `seconds`, whatever the policy's own delay.

    Takes seconds, a timedelta, or the text of a Retry-After header: a number of seconds or an HTTP date
    (RFC 9110, section 10.2.3). A date that has passed means at once. Attempts and the policy's total time
    limit still count. Raises ValueError for anything else, and for more than ten years.
    """

    LONGEST = 3650 * 86400.0
    """Seconds: about ten years."""

    def __init__(self, seconds: float | timedelta | str, message: str = "") -> None:
        # When it is raised: a cold start has no use for the parser of dates.
        from stepfast.delays import seconds_of

        self.seconds = seconds_of(seconds)
        if not 0 <= self.seconds <= self.LONGEST:
            raise ValueError(f"RetryAfter takes a finite number of seconds from 0 up, to ten years, not {seconds!r}")
        super().__init__(message or f"asked to try again after {self.seconds:g} s")


class GiveUp(FailsStep):
    """Raise it in a step when a retry cannot help; the step fails at once."""


class StepTimeout(FailsStep):
    """An attempt ran longer than the step's timeout, or went longer without a heartbeat than declared."""


class StepInterrupted(FailsStep):
    """The process running the step died in the middle of it, and it must not, or not again, be rerun."""


class StepCancelled(FailsStep):
    """Raised by heartbeat(): the execution has ended or another worker owns the step; stop working."""


class Unavailable(StepfastError):
    """The store or a queue did not answer; nothing is lost, the same call may work later."""


class StartupError(StepfastError):
    """An operator must fix the fault that the message names; waiting alone does not help."""


class Misconfigured(StartupError):
    """The store or a queue refuses until an operator fixes a name, a permission, a file or the deployment.

    No work is lost: it waits, and is done after the fix.
    """


def class_of(kind: type[BaseException]) -> str:
    """The full name of an exception class; of one that is built into Python its name alone."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    return name.removeprefix("builtins.")


def _is_known_as(name: str, kind: type[BaseException]) -> bool:
    """Whether a class that is recorded by its name alone, Python's own or stepfast's, is derived from this one."""
    import builtins

    known = getattr(builtins, name, None) or globals().get(name.removeprefix(f"{__name__}."))
    return isinstance(known, type) and issubclass(known, kind)
