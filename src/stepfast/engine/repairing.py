"""Repairs steps by hand: an operator gives a step its result, or the input of its next attempt (rule *repair*)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Literal

from stepfast.engine import caller
from stepfast.engine.arguments import json_text
from stepfast.engine.ports import Clock, Commit, Store
from stepfast.engine.queries import existing
from stepfast.engine.resuming import Resuming
from stepfast.engine.rewind import changed_by
from stepfast.errors import InvalidRequest, NotStorable, WrongStatus
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.model import Execution, Record, Snapshot
from stepfast.records import dataclass
from stepfast.stored_text import text_of

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
Subject = Literal["result", "skip", "input"]


@dataclass(frozen=True, slots=True)
class Repair:
    """What to set: the `result` of a step, null as its result (`skip`), or the `input` of its next attempt.

    value: parsed JSON: the result, or an object of all arguments by name. why: for the history.
    """

    subject: Subject
    value: Any = None
    why: str | None = None


def repair_of(change: Mapping[str, Any]) -> Repair:
    """What a request asks to set, by the fields of its body. Raises InvalidRequest unless it is exactly one thing."""
    match {name: value for name, value in change.items() if name != "why"}:
        case {"result": value, **others} if not others:
            return Repair("result", value, change.get("why"))
        case {"skip": True, **others} if not others:
            return Repair("skip", None, change.get("why"))
        case {"input": Mapping() as value, **others} if not others:
            return Repair("input", value, change.get("why"))
    message = 'a repair is exactly one of {"result": …}, {"skip": true} and {"input": {…}}'
    raise InvalidRequest(message, (("result", message),))


class Repairing:
    """Changes records of steps, and resumes an execution that has failed."""

    def __init__(self, store: Store, clock: Clock, registry: Registry, resuming: Resuming) -> None:
        self._store, self._clock, self._registry, self._resuming = store, clock, registry, resuming

    async def repair(self, execution_id: str, command_id: str, repair: Repair) -> Execution:
        """As Operations.repair."""
        while True:
            snapshot = existing(await self._store.load(execution_id), execution_id)
            execution = snapshot.execution
            if execution.status not in ("FAILED", "RUNNING", "PAUSED"):
                raise WrongStatus(
                    f"execution {execution_id!r} is {execution.status}: only steps of a RUNNING, a PAUSED or a FAILED "
                    "one can be repaired",
                    execution.status,
                )
            record = _begun(snapshot, command_id)
            change = self._change(execution, record, repair)
            if _is_done(record, change):
                return execution
            _check(execution, record, repair)
            if execution.status == "FAILED":
                steps = None if command_id in execution.causes else [*execution.causes, command_id]
                plan = await self._resuming.resume(execution_id, execution.generation, steps, (command_id, change))
                if plan.cut is not None:
                    return plan.execution
            elif await self._store.commit(
                execution.run_id,
                Commit(changed_by(change, record, record.revision + 1, execution.generation), wake=True),
            ):
                return execution

    def _change(self, execution: Execution, record: Record, repair: Repair) -> Mapping[str, Any]:
        """The fields that the repair sets in the record. Raises InvalidRequest for a value that does not fit."""
        step, now = self._registry.step(execution.workflow, record.name), self._clock.now()
        if step is None:
            self._registry.find(execution.workflow)  # raises UnknownWorkflow
            raise InvalidRequest(f"the code that is deployed has no step {record.name!r}: its types are not known")
        says: dict[str, Any] = {"at": now, "subject": repair.subject, "by": caller.who(), "why": repair.why}
        set_by_hand = {"repair": json.dumps({name: value for name, value in says.items() if value is not None})}
        if repair.subject == "input":
            return {"input": _input_of(step, repair.value), "due": now} | set_by_hand
        return {"status": "SUCCEEDED", "output": _result_of(step, repair), "ended_at": now} | set_by_hand


def _begun(snapshot: Snapshot, command_id: str) -> Record:
    record = snapshot.records.get(command_id)
    if record is not None and record.kind == "step":
        return record
    if record is None:
        wrong = (
            f"execution {snapshot.execution.execution_id!r} has no attempt of {command_id!r} on record: `stepfast "
            "show` lists its commands; a step can be repaired once an attempt of it has begun"
        )
    else:
        wrong = f"{command_id!r} is a {record.kind}: only steps can be repaired"
    raise InvalidRequest(wrong, (("command", wrong),))


def _check(execution: Execution, record: Record, repair: Repair) -> None:
    """Raises InvalidRequest for a step that cannot be repaired so."""
    if record.status in ("SUCCEEDED", "CANCELLED") or (record.recorded and execution.status != "FAILED"):
        wrong = f"{record.id!r} has its outcome, {record.status}, and the workflow has gone on from it"
    elif repair.subject == "input" and record.status == "RUNNING":
        wrong = f"an attempt of {record.id!r} is running: change the input once it has ended, or give the result"
    else:
        return
    raise InvalidRequest(wrong, (("command", wrong),))


def _is_done(record: Record, change: Mapping[str, Any]) -> bool:
    """Whether an equal call has repaired the step before."""
    if record.repair is None or json.loads(record.repair)["subject"] != json.loads(change["repair"])["subject"]:
        return False
    name = "output" if "output" in change else "input"
    return bool(text_of(getattr(record, name)) == change[name])


def _result_of(step: Step[..., object], repair: Repair) -> str:
    try:
        return step.result.stored(json_text(repair.value))
    except (InvalidRequest, NotStorable) as error:
        if repair.subject == "skip":
            text = f"step {step.name!r} cannot be skipped, as its result may not be null: give it a result"
            raise InvalidRequest(text, (("skip", text),)) from error
        raise _below("result", error) from error


def _input_of(step: Step[..., object], value: Any) -> str:
    try:
        bound = step.arguments.decode(json_text(value)).arguments
        missing = [
            name
            for name, parameter in step.arguments.signature.parameters.items()
            if name not in bound and parameter.default is parameter.empty and parameter.kind not in _VARIADIC
        ]
        if missing:
            raise InvalidRequest(f"the input is an object of all arguments, and lacks {', '.join(missing)}")
        return step.arguments.encode(bound)
    except (InvalidRequest, NotStorable) as error:
        raise _below("input", error) from error


def _below(field: str, error: InvalidRequest | NotStorable) -> InvalidRequest:
    fields = error.fields if isinstance(error, InvalidRequest) else ()
    placed = tuple((f"{field}.{name}" if name else field, text) for name, text in fields) or ((field, str(error)),)
    return InvalidRequest(str(error), placed)
