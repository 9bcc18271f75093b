"""Signals, and the deterministic random(), uuid4() and now()."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from stepfast import now, random, signal, uuid4, workflow
from stepfast.errors import DefinitionError, ForbiddenInWorkflow, NonDeterministic
from stepfast.model import Execution, Record
from stepfast.replay.replay import Replay
from tests.replay.driver import CREATED, Play, last, played, started
from tests.replay.steps import echo


class Approval(BaseModel):
    by: str
    amount: int = 0


async def approved() -> str:
    return (await signal("approved", Approval)).by


def test_a_signal_is_waited_for_with_its_type() -> None:
    replay = started(approved)
    command = replay.outstanding["signal:approved"]
    assert (command.kind, command.name) == ("signal", "approved")
    assert command.codec is not None
    assert command.codec.decode('{"by": "Ada"}') == Approval(by="Ada")
    replay.close()


def test_a_signals_payload_is_the_result_of_the_wait() -> None:
    play = played(approved, signals={"approved": ['{"by": "Ada"}']})
    assert play.execution.result == '"Ada"'


def test_each_signal_is_taken_once_and_in_order() -> None:
    async def body() -> list[Any]:
        return [await signal("n"), await signal("n"), await signal("other"), await signal("n")]

    play = played(body, signals={"n": ["1", "2", "3"], "other": ["null"]})
    assert play.execution.result == "[1,2,null,3]"
    assert play.ran == ["signal:n", "signal:n#2", "signal:other", "signal:n#3"]


def test_a_signal_that_nobody_sends_is_waited_for() -> None:
    play = Play(workflow("w")(approved))
    replay = play.run()
    assert not replay.finished
    assert list(replay.outstanding) == ["signal:approved"]


@pytest.mark.parametrize("timeout", [3 * 86_400, timedelta(days=3)])
def test_a_wait_with_a_timeout_ends_with_timeout_error(timeout: Any) -> None:
    async def body() -> str:
        try:
            await signal("approved", Approval, timeout=timeout)
        except TimeoutError:
            return "nobody came"
        return "approved"

    play = played(body)
    assert play.execution.result == '"nobody came"'
    assert play.now == CREATED + 3 * 86_400
    assert played(body, signals={"approved": ['{"by": "x"}']}).execution.result == '"approved"'


def test_a_timeout_of_zero_only_looks() -> None:
    async def body() -> bool:
        try:
            await signal("go", timeout=0)
        except TimeoutError:
            return False
        return True

    assert played(body).execution.result == "false"


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "5", True])
def test_a_timeout_that_is_no_time_is_refused(timeout: Any) -> None:
    async def body() -> None:
        await signal("go", timeout=timeout)

    replay = started(body)
    assert isinstance(replay.error, DefinitionError)
    assert "signal 'go': timeout" in str(replay.error)


@pytest.mark.parametrize("name", ["", "a/b", "ü", "x" * 65, "a b", None])
def test_a_name_that_no_signal_can_have_is_refused(name: Any) -> None:
    async def body() -> None:
        await signal(name)

    assert isinstance(started(body).error, DefinitionError)


def test_a_type_without_json_form_is_refused_before_anything_is_waited_for() -> None:
    async def body() -> None:
        await signal("go", type("Plain", (), {}))

    replay = started(body)
    assert isinstance(replay.error, DefinitionError)
    assert replay.issued == {}


def test_a_recorded_payload_that_no_longer_fits_is_named() -> None:
    play = Play(workflow("w")(approved))
    play.records["signal:approved"] = Record(
        "signal:approved", "signal", "approved", "SUCCEEDED", 0, output='{"by": 5}', ended_at=CREATED
    )
    replay = play.run()
    assert isinstance(replay.error, NonDeterministic)
    assert "signal 'approved': payload" in str(replay.error)


def test_two_waits_for_one_name_stand_side_by_side() -> None:
    async def body() -> tuple[Any, Any]:
        return await asyncio.gather(signal("n"), signal("n"))

    play = played(body, signals={"n": ["1", "2"]})
    assert play.execution.result == "[1,2]"


@pytest.mark.parametrize("ask", [lambda: asyncio.run(signal("go")), now, random, uuid4])
def test_outside_a_workflow_there_is_nothing_to_ask(ask: Any) -> None:
    with pytest.raises(ForbiddenInWorkflow, match="works only in workflow code"):
        ask()


# -- random, uuid4 --------------------------------------------------------------------------------------


async def draws() -> dict[str, list[Any]]:
    async def branch(n: int) -> list[Any]:
        drawn = [random(), str(uuid4())]
        await echo(n)
        return [*drawn, random()]

    main = [random(), random(), str(uuid4()), str(uuid4())]
    return {
        "main": main,
        "a": await branch(1),
        **dict(zip("bc", await asyncio.gather(branch(2), branch(3)), strict=True)),
    }


def drawn(execution_id: str = "e1", choose: Any = last) -> dict[str, list[Any]]:
    play = Play(workflow("w")(draws))
    play.execution = Execution(execution_id, "w", "null", CREATED)
    play.run(choose)
    result: dict[str, list[Any]] = json.loads(play.execution.result or "")
    return result


def test_random_values_are_the_same_in_every_replay_and_order() -> None:
    assert drawn() == drawn() == drawn(choose=lambda ready: ready[0])


def test_random_values_are_pinned_across_versions() -> None:
    assert drawn()["main"] == [
        0.8212543244186005,
        0.1596512152137452,
        "e71e49d7-623c-4cb0-945b-474bffd93948",
        "1e278425-a288-426c-87fa-17460a186c2e",
    ]


def test_every_draw_is_another_one() -> None:
    values = [one for part in drawn().values() for one in part]
    assert len(set(values)) == len(values) == 13


def test_executions_draw_differently() -> None:
    one, other = drawn("e1"), drawn("e2")
    assert all(one[part] != other[part] for part in one)


def test_random_lies_between_zero_and_one_and_uuids_are_of_version_four() -> None:
    for value in (one for part in drawn().values() for one in part):
        if isinstance(value, float):
            assert 0 <= value < 1
        else:
            assert UUID(value).version == 4


def test_a_step_added_before_a_draw_does_not_change_it() -> None:
    async def short() -> float:
        return random()

    async def longer() -> float:
        await echo(1)
        return random()

    assert played(short).execution.result == played(longer).execution.result


def test_a_draw_costs_no_command() -> None:
    replay = Replay(workflow("w")(draws), Execution("e1", "w", "null", CREATED))
    replay.advance({})
    assert list(replay.issued) == ["echo"]
    replay.close()
