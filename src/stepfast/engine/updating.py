"""Queries and updates: what a workflow lets others ask and do while it runs (rules *query* and *update*)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Literal

from stepfast.engine.arguments import check_id, json_text
from stepfast.engine.deadline import TookTooLong, deadline
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import ReadOperations
from stepfast.engine.starting import Starting
from stepfast.error_text import message_of
from stepfast.errors import (
    ExecutionConflict,
    InvalidRequest,
    NonDeterministic,
    StepfastError,
    UnknownWorkflow,
    WrongStatus,
)
from stepfast.language.handlers import QueryFunction, UpdateFunction
from stepfast.language.options import NAME
from stepfast.language.registry import Registry
from stepfast.model import ENDED_FOR_GOOD, Execution, Record, Signal, SignalLimits, Snapshot
from stepfast.records import dataclass
from stepfast.replay.handlers import SIGNAL, command_of, signal_of
from stepfast.replay.loop import Closed
from stepfast.replay.replay import Replay
from stepfast.stored_text import text_of
from stepfast.update_errors import NoSuchHandler, QueryFailed, UpdateNotFound, UpdateRefused
from stepfast.values.sameness import same_json

MOST_RECORDS = 10_000
"""An execution with more records is not replayed for a query, nor for the check of an update before it is stored."""
QUERY_SECONDS = 5.0
"""How long a query or a check may take, beside the replay."""
MOST_WAIT_SECONDS = 20.0
"""How long a call waits for an answer at most. API Gateway ends a request after 30 seconds."""
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.01, 0.25

UpdateStatus = Literal["pending", "succeeded", "failed", "refused", "ended"]


@dataclass(frozen=True, slots=True)
class UpdateState:
    """How an update stands. record: of its answer. created: whether this call has stored it.

    status: `ended` where the execution has ended before the update, which gets no answer then.
    """

    execution: Execution
    update_id: str
    name: str
    received_at: float
    status: UpdateStatus
    record: Record | None = None
    created: bool = False

    def shown(self) -> dict[str, Any]:
        """As plain JSON values."""
        record = self.record
        error = record.error if record is not None else None
        return {
            "execution_id": self.execution.execution_id,
            "update_id": self.update_id,
            "name": self.name,
            "status": self.status,
            "result": json.loads(text_of(record.output)) if record is not None and record.output is not None else None,
            "error": None if error is None else {"type": error.type, "message": error.message},
        }


@dataclass(frozen=True, slots=True)
class RegisteredHandlers:
    """The queries and updates that an execution has where it stands, by their names in alphabetical order."""

    queries: Mapping[str, QueryFunction[..., Any]] = field(default_factory=dict)
    updates: Mapping[str, UpdateFunction[..., Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StartWith:
    """What an update starts if no execution has the id."""

    workflow: str
    input: Any = None
    labels: Mapping[str, str] | None = None


class Updating:
    """Answers queries, and sends updates."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        reading: ReadOperations,
        registry: Registry,
        starting: Starting,
        limits: SignalLimits,
    ) -> None:
        self._store, self._clock, self._reading = store, clock, reading
        self._registry, self._starting, self._limits = registry, starting, limits

    # -- queries -----------------------------------------------------------------------------------------

    async def query(self, execution_id: str, name: str, payload: Any = None) -> str:
        """As Operations.query."""
        text = json_text(payload)
        if await self._reading.if_longer(execution_id, MOST_RECORDS) is not None:
            raise QueryFailed(
                f"execution {execution_id!r} has more than {MOST_RECORDS:,} records, which are not replayed for a "
                "query: have the workflow raise ContinueAsNew before",
                "TooLong",
            )
        replay = self._replayed(await self._reading.load(execution_id, signals=False))
        try:
            return str(_asked(replay, lambda: replay.handlers.ask(name, text), f"query {name!r}"))
        except (NoSuchHandler, InvalidRequest, QueryFailed):
            raise
        except Exception as error:
            raise QueryFailed(
                f"query {name!r} failed: {type(error).__name__}: {message_of(error)}", type(error).__name__
            ) from error
        finally:
            replay.close()

    async def handlers(self, execution_id: str) -> RegisteredHandlers:
        """As Operations.handlers."""
        if await self._reading.if_longer(execution_id, MOST_RECORDS) is not None:
            return RegisteredHandlers()
        snapshot = await self._reading.load(execution_id, signals=False)
        try:
            replay = self._replayed(snapshot)
        except (UnknownWorkflow, QueryFailed):
            return RegisteredHandlers()
        replay.close()
        ended = snapshot.execution.status in ENDED_FOR_GOOD
        registered = replay.handlers
        return RegisteredHandlers(
            dict(sorted(registered.queries.items())), {} if ended else dict(sorted(registered.updates.items()))
        )

    # -- updates -----------------------------------------------------------------------------------------

    async def update(
        self,
        execution_id: str,
        name: str,
        payload: Any = None,
        update_id: str | None = None,
        wait: float = 0.0,
        start: StartWith | None = None,
    ) -> UpdateState:
        """As Operations.update."""
        if not NAME.fullmatch(name):
            raise InvalidRequest("an update name is 1 to 64 of A-Z a-z 0-9 . _ -", (("name", "bad characters"),))
        if update_id is not None:
            check_id(update_id, "update_id", "an update id")
        id = update_id or str(uuid.uuid4())
        text = json_text({"id": id, "name": name, "payload": payload})
        held = None if update_id is None else await self._store.signal(execution_id, signal_of(id))
        created = False
        if held is None:
            signal = Signal(signal_of(id), SIGNAL, text, self._clock.now())
            if start is not None:
                await self._start(execution_id, start, name, payload)
            try:
                await self._check(execution_id, name, payload)
            except (WrongStatus, UpdateRefused, NoSuchHandler, InvalidRequest):
                # An equal call may have come first since, and its update may have changed what the check looks at.
                held = await self._store.signal(execution_id, signal.signal_id)
                if held is None:
                    raise
            else:
                held = await self._store.add_signal(execution_id, signal, self._limits)
            created = held is signal
        if not same_json(held.payload, text):
            raise ExecutionConflict(f"update id {id!r} was used before for another update or payload")
        return replace(await self._await(execution_id, id, held, wait), created=created)

    async def update_state(self, execution_id: str, update_id: str, wait: float = 0.0) -> UpdateState:
        """As Operations.update_state."""
        check_id(update_id, "update_id", "an update id")
        held = await self._store.signal(execution_id, signal_of(update_id))
        if held is None:
            await self._reading.read(execution_id)
            raise UpdateNotFound(f"execution {execution_id!r} has no update {update_id!r}, or keeps it no longer")
        return await self._await(execution_id, update_id, held, wait)

    async def _start(self, execution_id: str, start: StartWith, name: str, payload: Any) -> None:
        """Starts the execution unless there is one of this id; nothing is started if the update would be refused."""
        execution = await self._store.read(execution_id)
        if execution is None:
            workflow = self._registry.get(start.workflow)
            if workflow is not None:
                now = self._clock.now()
                first = Execution(execution_id, start.workflow, workflow.input.stored(json_text(start.input)), now)
                replay = Replay(workflow, first)
                try:
                    replay.advance({})
                    self._check_with(replay, name, payload)
                finally:
                    replay.close()
            try:
                await self._starting.start(start.workflow, start.input, execution_id, start.labels)
                return
            except ExecutionConflict:
                execution = await self._store.read(execution_id)  # another call was faster
        if execution is not None and execution.workflow != start.workflow:
            raise ExecutionConflict(f"execution {execution_id!r} is of workflow {execution.workflow!r}")

    async def _check(self, execution_id: str, name: str, payload: Any) -> None:
        """Refuses what the workflow would refuse now. The workflow checks again as it takes the update."""
        longer = await self._reading.if_longer(execution_id, MOST_RECORDS)
        execution = longer or await self._reading.read(execution_id)
        if execution.status in ENDED_FOR_GOOD or execution.status == "CLOSED":
            raise WrongStatus(
                f"execution {execution_id!r} is {execution.status}: it accepts no more updates", execution.status
            )
        if longer is not None:
            return
        replay = self._replayed(await self._reading.load(execution_id, signals=False))
        try:
            self._check_with(replay, name, payload)
        finally:
            replay.close()

    def _check_with(self, replay: Replay, name: str, payload: Any) -> None:
        text = json_text(payload)
        try:
            _asked(replay, lambda: replay.handlers.check(name, text), f"the check of update {name!r}")
        except StepfastError:
            raise
        except Exception as error:
            text = f"the check of update {name!r} failed: {type(error).__name__}: {message_of(error)}"
            raise UpdateRefused(text) from error

    async def _await(self, execution_id: str, update_id: str, signal: Signal, wait: float) -> UpdateState:
        """How the update stands, once it is answered, or the time is over."""
        until = self._clock.now() + min(wait, MOST_WAIT_SECONDS)
        nap = FIRST_LOOK_SECONDS
        while True:
            state = await self._state(execution_id, update_id, signal)
            left = until - self._clock.now()
            if state.status != "pending" or left <= 0:
                return state
            await self._clock.sleep(min(nap, left))
            nap = min(nap * 1.5, LONGEST_LOOK_SECONDS)

    async def _state(self, execution_id: str, update_id: str, signal: Signal) -> UpdateState:
        execution = await self._reading.read(execution_id)
        # The end is read first: an answer is written before the end, so none comes after it.
        record = await self._record(execution, update_id, signal)
        name = json.loads(signal.payload)["name"]
        status: UpdateStatus = "pending"
        if record is not None:
            refused = record.error is not None and record.error.type in ("UpdateRefused", "NoSuchHandler")
            status = "succeeded" if record.status == "SUCCEEDED" else "refused" if refused else "failed"
        elif execution.status in ENDED_FOR_GOOD:
            status = "ended"
        return UpdateState(execution, update_id, name, signal.received_at, status, record)

    async def _record(self, execution: Execution, update_id: str, signal: Signal) -> Record | None:
        """The answer, from the current run or from the earlier one that has taken the update."""
        command_id = command_of(update_id)
        while True:
            peeked = await self._store.peek(execution.run_id, command_id)
            if peeked is None or peeked[0].run == execution.run:
                break
            execution = peeked[0]  # the next run has begun since it was read
        if peeked is None or peeked[1] is not None or signal.run >= execution.run:
            return None if peeked is None else peeked[1]
        # The signal may be an old reading: a run that it went along to may have taken it, and ended since.
        latest = await self._store.signal(execution.execution_id, signal.signal_id) or signal
        earlier = await self._store.load_run(execution.execution_id, latest.run)
        return None if earlier is None else earlier.records.get(command_id)

    # -- replays -----------------------------------------------------------------------------------------

    def _replayed(self, snapshot: Snapshot) -> Replay:
        """The code run as far as the records go, for the caller to throw away. UnknownWorkflow, QueryFailed."""
        execution, records = snapshot.execution, snapshot.records
        workflow = self._registry.get(execution.workflow)
        if workflow is None:
            raise UnknownWorkflow(f"workflow {execution.workflow!r} is not deployed, so its code cannot be asked")
        goes_on = execution.status in ("RUNNING", "PAUSED", "CANCELLED")
        if execution.status == "CANCELLED":
            records = {id: record for id, record in records.items() if record.status != "CANCELLED"}
        replay = Replay(workflow, execution)
        try:
            replay.advance(records, snapshot.cursor.applied, extend=goes_on)
            if isinstance(replay.error, NonDeterministic) and execution.status != "FAILED":
                raise QueryFailed(
                    f"the code that is deployed does not fit what {execution.execution_id!r} has recorded: "
                    f"{replay.error}",
                    "NonDeterministic",
                )
        except BaseException:
            replay.close()
            raise
        return replay


def _asked(replay: Replay, function: Any, who: str) -> Any:
    """Runs a function of the workflow's code on a replay that is thrown away, for a limited time."""
    try:
        with deadline(QUERY_SECONDS):
            return replay.handlers.from_outside(function)
    except TookTooLong:
        raise QueryFailed(f"{who} took longer than {QUERY_SECONDS:g} seconds", "TimeoutError") from None
    except Closed:
        raise QueryFailed(f"{who} needs a workflow that runs", "Closed") from None
    finally:
        replay.handlers.only_looks = None  # code that took too long may not have come to this
