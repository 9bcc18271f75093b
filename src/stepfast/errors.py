"""Every exception of stepfast, grouped by what happens because of it.

StepfastError
├── Refused                 the caller's mistake; nothing was written
│   ├── InvalidRequest
│   ├── UnknownWorkflow
│   ├── UnknownName         of a limit, a gate or a schedule
│   ├── ExecutionNotFound
│   ├── ExecutionConflict
│   ├── ExecutionDeleted    never leaves the engine
│   ├── WrongStatus
│   ├── TooManySignals
│   ├── NoSuchHandler       the workflow has no query or update of this name
│   ├── QueryFailed
│   ├── UpdateNotFound
│   ├── UpdateRefused       raised by the check of an update; its sender gets it
│   ├── LinkRefused         an answer by a link that is not valid, expired, used up or over
│   └── NotAllowed          from stepfast.Client: the API key or the host name was refused
├── DefinitionError         the program's mistake; the message says what to write instead
├── FailsExecution          the execution becomes FAILED and can be resumed
│   ├── NonDeterministic
│   ├── ForbiddenInWorkflow
│   ├── Deadlock
│   ├── NeverAwaited
│   ├── StepNotDeployed
│   ├── WorkflowNotDeployed
│   ├── TooManyLevels
│   ├── NotStorable
│   ├── BatchFailed         the error of a batch of map_items(), whose items have failed
│   └── MapFailed           what workflow code sees if more items of map_items() failed than it tolerates
├── FailsStep               raised in or about a step
│   ├── StepFailed          what workflow code sees of a failed step
│   │   ├── ChildFailed     what it sees of a failed child
│   │   └── CallbackFailed  what it sees when external work reports that it has failed
│   ├── CallbackTimeout     what it sees when no answer comes by a link; a TimeoutError
│   ├── RetryAfter          raised by a step: try again after this delay
│   ├── GiveUp              raised by a step: fail at once
│   │   └── NoServer        from stepfast.Client in a test: no server is behind it
│   ├── LimitKeyFailed      the key or the priority of a limit raised an exception
│   ├── StepTimeout
│   ├── StepInterrupted
│   └── StepCancelled
├── StartupError            something must be corrected first; waiting does not help
│   ├── DatabaseInUse       never leaves stepfast.Embedded: another process owns the file
│   └── Misconfigured       found at run time: a permission, a name, a file that cannot be written
├── Unavailable             a temporary failure: try again later
│   └── Unreachable         from stepfast.Client: the server's address gave no answer
├── ExecutionFailed         from stepfast.Client: the execution is FAILED and can be resumed
├── ExecutionCancelled      from stepfast.Client: the execution was cancelled and has no result
├── UpdateFailed            from stepfast.Client: an update has raised an exception
└── ForeignMessage          never leaves the queue handlers: a message that this version cannot read

The classes of queries and updates are in stepfast.update_errors, the other classes of stepfast.Client in
stepfast.client, those of links in stepfast.language.callback_errors and stepfast.engine.answering, DatabaseInUse is in
stepfast.backends.sqlite.owner, and
ForeignMessage is in stepfast.backends.aws.messages.

These classes stand outside the tree on purpose. User code never needs to catch them:

| class | module | why it is no StepfastError |
|---|---|---|
| TooLate | cli.following | The command line turns it into an exit code. |
| Kept | functions.batches | It leaves a record in its queue. |
| Failed | functions.entry | It tells Lambda that the invocation failed and hides the payload. |
| Rejected | http.problems | It carries the answer to a request that does not reach the engine. |
| Unreadable | http.gateway | It carries the answer to a request that cannot become an event. |
| NoAnswer | backends.aws.direct_connection | botocore makes the call that got no answer. |
| _StaleConnection | backends.aws.direct_connection | The request is sent again on a new connection. |
| ClientGone | http.waiting | The client has disconnected, and nobody waits for the answer. |
| PostFailed | engine.webhook_deliverer | It puts off the delivery of a webhook. |
| OwnerAway | local.owner_client | The request waits for another owner of the file. |
| ContinueAsNew | language.continuing | It ends a run of a workflow, so `except Exception` must not catch it. |
| Closed | replay.loop | It ends discarded workflow code, so `except Exception` must not catch it. |
| TookTooLong | engine.deadline | It ends a query that takes too long, so `except Exception` must not catch it. |
| SandboxEnded | simulator.invocation | It ends a simulated sandbox, so `except Exception` must not catch it. |
| TimedOut | simulator.invocation | It ends a sandbox at Lambda's timeout. It is a SandboxEnded. |
| Died | testing.points | It ends a simulated process, so `except Exception` must not catch it. |
| Endless | testing.points | It ends a drive of the test kit, which raises Stalled for it. |
| Stalled | testing.points | It fails a user's test, so it is an AssertionError. |
| NotRepeatable | testing.replays | It fails a user's test, so it is an AssertionError. |
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's own, which takes longer to import than all of this module
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any

__all__ = [
    "BatchFailed", "ChildFailed", "Deadlock", "DefinitionError", "ExecutionConflict", "ExecutionNotFound",
    "FailsExecution", "FailsStep", "ForbiddenInWorkflow", "GiveUp", "InvalidRequest", "LimitKeyFailed", "MapFailed",
    "Misconfigured", "NeverAwaited", "NonDeterministic", "NotStorable", "Refused", "RetryAfter", "StartupError",
    "StepCancelled", "StepFailed", "StepInterrupted", "StepNotDeployed", "StepTimeout", "StepfastError",
    "TooManyLevels", "TooManySignals", "Unavailable", "UnknownName", "UnknownWorkflow",
    "WorkflowNotDeployed", "WrongStatus",
]  # fmt: skip

PROBLEM_URN = "urn:stepfast:problem:"
"""What the `type` of every problem of the HTTP API begins with; the server writes it and the client reads it."""


class StepfastError(Exception):
    """The base class of all exceptions of stepfast. Each of them survives pickle and copy."""

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException's own would call the constructor with the text, which is not what most constructors take.
        return _restored, (type(self), self.args), self.__dict__.copy()


def _restored(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception as its constructor left it, without running the constructor; pickle adds the attributes."""
    return kind.__new__(kind, *args)


class Refused(StepfastError):
    """A request that was not carried out. Nothing was written."""


class InvalidRequest(Refused):
    """Input that does not fit its type, or a request that is not valid.

    `fields` lists the faults, of very many the first, as pairs of a path and a message; `total` is the number of all.
    """

    def __init__(self, message: str, fields: tuple[tuple[str, str], ...] = (), total: int | None = None) -> None:
        super().__init__(message)
        self.fields = fields
        self.total = len(fields) if total is None else total


class UnknownWorkflow(Refused):
    """No workflow of this name is deployed."""


class UnknownName(Refused):
    """No limit, gate or schedule of this name is deployed."""


class ExecutionNotFound(Refused):
    """No execution has this id."""


class ExecutionConflict(Refused):
    """The execution id belongs to another workflow or input, or the signal id to another signal."""


class ExecutionDeleted(Refused):
    """An execution of this id was deleted; a new one begins with a later generation than `generation`.

    The store tells the engine so, which then starts it there; callers never see it.
    """

    def __init__(self, execution_id: str, generation: int) -> None:
        super().__init__(f"an execution {execution_id!r} of generation {generation} was deleted")
        self.execution_id = execution_id
        self.generation = generation


class WrongStatus(Refused):
    """The status of the execution does not allow the request. `status` is that status."""

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class TooManySignals(Refused):
    """The execution has received as many signals, or as many bytes of payloads, as the settings allow."""

    @classmethod
    def for_execution(cls, execution_id: str, count: int, bytes: int) -> TooManySignals:
        return cls(
            f"execution {execution_id!r} takes no more signals: it gets at most {count:,} of them and {bytes:,} bytes "
            "in all; raise max_signals or max_signal_bytes in [tool.stepfast], or send references to large values"
        )


class DefinitionError(StepfastError):
    """A workflow or step that cannot work as it is written. The message says what to write instead."""


class FailsExecution(StepfastError):
    """Workflow code has broken a rule. The execution becomes FAILED: correct the code and resume it."""


class NonDeterministic(FailsExecution):
    """Workflow code asks for another command, or for another input, than the execution has recorded."""


class ForbiddenInWorkflow(FailsExecution):
    """I/O, threads or a foreign event loop in workflow code; such work belongs in a step."""


class Deadlock(FailsExecution):
    """The workflow waits for something that no step, timer or signal will bring."""


class NeverAwaited(FailsExecution):
    """The workflow called a step or made a coroutine that it never awaited, or a task failed that nothing awaited."""


class StepNotDeployed(FailsExecution):
    """The workflow asks for a step that this deployment has no queue or not enough time for."""


class WorkflowNotDeployed(FailsExecution):
    """The workflow asks for a child whose workflow this deployment does not have."""


class TooManyLevels(FailsExecution):
    """The workflow asks for a child below more executions than `max_child_depth` allows."""


class NotStorable(FailsExecution):
    """A value that cannot be stored as JSON and read back equal. `path` leads to the field in it."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class BatchFailed(FailsExecution):
    """Items of a batch of `map_items()` have failed, which are in its cause: a resume runs these and no others."""


class MapFailed(FailsExecution):
    """More items of a `map_items()` failed than it tolerates, or its items could not be read.

    A resume runs what failed and nothing else. `report` is the MapReport; None where the items could not be read.
    """

    def __init__(self, message: str, report: Any = None) -> None:
        super().__init__(message)
        self.report = report


class FailsStep(StepfastError):
    """An exception that a step raises, or that stands for the failure of a step."""


class StepFailed(FailsStep):
    """Workflow code sees it when a step has failed for good.

    step: the name of the step.
    step_id: the id of its command.
    error_type: the name of the class of the exception that the step raised.
    error_class: the same with its module, such as "billing.errors.Declined", which tells classes of one name apart. A
    class that is built into Python has no module here, and version 0.1 recorded no module at all.
    message: the text of the exception.
    attempts: how many attempts there were.
    bases: the base classes of the exception's class, nearest first. Empty for a class that is built into Python or is a
    class of stepfast.
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
        """Whether the step raised an exception of the class `kind`, of a class derived from it, or of one in a tuple.

        It works as isinstance() does, but on the recorded names of the classes, so every replay gets the same answer. A
        class that was moved or renamed since then does not match. Raises TypeError for a `kind` that is neither an
        exception class nor a tuple of such classes.
        """
        if isinstance(kind, tuple):
            return any(self.is_a(member) for member in kind)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(f"is_a() takes an exception class, or a tuple of them, not {kind!r}")
        named = class_of(kind)
        return any(named == name or _is_known_as(name, kind) for name in (self.error_class, *self.bases))


class ChildFailed(StepFailed):
    """Workflow code sees it when a child has failed, was cancelled, or could not be started.

    It is a StepFailed, so that one `except` catches both. `step` is the name of the child's workflow.

    workflow: the name of the child's workflow.
    execution_id: the id of the child's execution. It is "" for a child that could not be started.
    failed_step: the name of the step that the child has failed in; None for an error of the workflow's own code.
    error_type: the name of the class of the exception; "ExecutionCancelled" for a child that was cancelled.
    error_class, message, bases: as those of StepFailed.
    """

    def __init__(
        self,
        workflow: str,
        step_id: str,
        execution_id: str,
        failed_step: str | None,
        error_type: str,
        message: str,
        error_class: str | None = None,
        bases: tuple[str, ...] = (),
    ) -> None:
        super().__init__(workflow, step_id, error_type, message, 1, error_class, bases)
        where = f" in step {failed_step!r}" if failed_step else ""
        self.args = (f"child {workflow!r} ({execution_id or 'not started'}) failed{where}: {error_type}: {message}",)
        self.workflow = workflow
        self.execution_id = execution_id
        self.failed_step = failed_step


class RetryAfter(FailsStep):
    """Raise it in a step to set the delay before the next attempt, in place of the delay of the step's policy.

    seconds: a number of seconds, a timedelta, or the text of a Retry-After header, which is a number of seconds or an
    HTTP date (RFC 9110, section 10.2.3). A date in the past means no delay. The attribute is a float of seconds.
    message: the text of the exception; by default it states the delay.

    The limits `max_attempts` and `max_elapsed` of the policy still hold. Raises ValueError for any other value, and for
    a delay below 0 or above ten years.
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
    """Raise it in a step that no retry can help. The step fails at once."""


class StepTimeout(FailsStep):
    """An attempt took longer than the timeout of the step, or sent no heartbeat for longer than declared."""


class StepInterrupted(FailsStep):
    """The process that ran the step has died, and the step does not run again.

    Either the step has `at_most_once`, or too many attempts were interrupted so.
    """


class LimitKeyFailed(FailsStep):
    """The key or the priority of a limit raised an exception, or returned what is none: the step cannot begin.

    Fix the function, deploy it, and resume the execution.
    """


class StepCancelled(FailsStep):
    """`heartbeat()` raises it when the attempt must stop.

    The execution has failed or ended, workflow code has taken the step back, this process is about to stop, or another
    worker has claimed the step.
    """


class Unavailable(StepfastError):
    """The store, a queue or the server does not answer for now. Nothing is lost: try the same call again later."""


class StartupError(StepfastError):
    """Something must be corrected before this can work. The message says what. Waiting does not help."""


class Misconfigured(StartupError):
    """The store or a queue refuses to work until a name, a permission, a file or the deployment is corrected.

    Nothing is lost: the work waits, and continues after the correction.
    """


def class_of(kind: type[BaseException]) -> str:
    """The full name of an exception class; of one that is built into Python its name alone."""
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _is_known_as(name: str, kind: type[BaseException]) -> bool:
    """Whether a class that is recorded by its name alone, Python's own or stepfast's, is derived from this one."""
    import builtins

    known = getattr(builtins, name, None) or globals().get(name.removeprefix(f"{__name__}."))
    return isinstance(known, type) and issubclass(known, kind)
