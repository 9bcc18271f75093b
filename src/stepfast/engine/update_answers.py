"""Records the answers of updates, once the order that led to them is durable (rule *update*)."""

from __future__ import annotations

from stepfast.engine.ports import Clock, Store
from stepfast.errors import StepFailed
from stepfast.model import Execution, Failure, Record
from stepfast.replay.failures import describe_error
from stepfast.replay.handlers import UpdateAnswer, command_of
from stepfast.replay.replay import Replay


async def record_answers(store: Store, clock: Clock, execution: Execution, replay: Replay) -> bool:
    """Writes the answers that are not recorded yet. False if one was refused: read everything again.

    The first answer stands: a record that is there is never replaced, also where a resume has the update run again.
    """
    for id, answer in list(replay.handlers.answers.items()):
        if command_of(id) in replay.records:
            continue
        record = record_of(answer, execution.generation, clock.now())
        if not await store.report(execution.run_id, record, execution.generation):
            return False
        replay.records[record.id] = record
    return True


def owes_answers(replay: Replay) -> bool:
    """Whether updates have ended whose answers are not recorded."""
    answers = replay.handlers.answers
    return bool(answers) and any(command_of(id) not in replay.records for id in answers)


def record_of(answer: UpdateAnswer, generation: int, now: float) -> Record:
    """The record of an answer, as it is stored."""
    arrival, error = answer.arrival, answer.error
    return Record(
        command_of(arrival.id),
        "update",
        arrival.name,
        "SUCCEEDED" if error is None else "FAILED",
        generation,
        revision=1,
        attempt=1,
        input=arrival.text,
        output=answer.result,
        error=None if error is None else failure_of(error),
        first_at=answer.began_at,
        started_at=answer.began_at,
        ended_at=now,
    )


def failure_of(error: BaseException) -> Failure:
    """The failure of an update; where a step behind it has failed, that of the step."""
    if isinstance(error, StepFailed):
        return Failure(error.error_type, error.message, error.step, None, error_class=error.error_class)
    described = describe_error(error)
    return Failure(described.type, described.message, None, described.traceback, error_class=described.error_class)
