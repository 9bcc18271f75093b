"""Two exception classes of one name are told apart: in workflow code, in the groups of dead letters, in both homes."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from stepfast import GiveUp, Retry, RetryAfter, step, workflow
from stepfast.engine.listing import groups_of
from stepfast.engine.ports import End
from stepfast.errors import StepFailed, StepTimeout
from stepfast.model import Execution, Failure
from stepfast.replay.failures import describe_error
from stepfast.testing import Environment, MotoCloud

ONCE = Retry(max_attempts=1)


class Bank:
    class Declined(Exception):
        pass


class Insurer:
    class Declined(Exception):
        pass


@step(retry=ONCE)
def ask(who: str) -> None:
    raise {"bank": Bank.Declined, "insurer": Insurer.Declined, "nobody": ValueError}[who]("no")


@workflow("told-apart")
async def told_apart() -> list[list[str]]:
    told = []
    for who in ("bank", "insurer", "nobody"):
        try:
            await ask(who)
        except StepFailed as failed:
            told.append([failed.error_type, failed.error_class])
    return told


@workflow("declined")
async def declined(who: str) -> None:
    await ask(who)


EXPECTED = [
    ["Declined", f"{__name__}.Bank.Declined"],
    ["Declined", f"{__name__}.Insurer.Declined"],
    ["ValueError", "ValueError"],
]


@pytest.mark.parametrize("home", [Environment, MotoCloud])
def test_workflow_code_tells_classes_of_one_name_apart(home: Any) -> None:
    with home(told_apart) as env:
        assert env.run(told_apart).result == EXPECTED


def test_a_class_of_python_and_one_of_stepfast_has_its_name_alone() -> None:
    assert describe_error(KeyError("x")).error_class is None
    assert describe_error(StepFailed("a", "b", "c", "d", 1)).error_class is None


class Refused(Bank.Declined, ConnectionError):
    pass


@step(retry=ONCE)
def refuse(kind: str) -> None:
    raise {
        "refused": Refused("r"),
        "key": KeyError("k"),
        "give-up": GiveUp("g"),
        "own": NoMoney("n"),
        "slow": StepTimeout("t"),
    }[kind]


class NoMoney(GiveUp):
    pass


KINDS = (
    Refused, Bank.Declined, Insurer.Declined, ConnectionError, OSError, KeyError, LookupError, ValueError,
    GiveUp, NoMoney, StepTimeout, Exception, BaseException,
)  # fmt: skip


@workflow("is-a")
async def is_a() -> dict[str, list[str]]:
    told = {}
    for kind in ("refused", "key", "give-up", "own", "slow"):
        try:
            await refuse(kind)
        except StepFailed as failed:
            told[kind] = [one.__qualname__ for one in KINDS if failed.is_a(one)]
    return told


MATCHES = {
    "refused": ["Refused", "Bank.Declined", "ConnectionError", "OSError", "Exception", "BaseException"],
    "key": ["KeyError", "LookupError", "Exception", "BaseException"],
    "give-up": ["GiveUp", "Exception", "BaseException"],
    "own": ["GiveUp", "NoMoney", "Exception", "BaseException"],
    "slow": ["StepTimeout", "Exception", "BaseException"],
}


@pytest.mark.parametrize("home", [Environment, MotoCloud])
def test_a_failure_is_matched_by_class_after_a_replay_too(home: Any) -> None:
    with home(is_a) as env:
        assert env.run(is_a).result == MATCHES


def test_one_of_several_classes_is_enough() -> None:
    failed = StepFailed("a", "a", "KeyError", "", 1)
    assert failed.is_a((ValueError, LookupError))
    assert not failed.is_a((ValueError, OSError))


def test_the_names_of_base_classes_are_bounded() -> None:
    kind: type[Exception] = ValueError
    for number in range(60):
        kind = type(f"{'Long' * 30}{number}", (kind,), {})
    failure = describe_error(kind("deep"))
    assert 5 < len(failure.bases) <= 20
    assert sum(map(len, failure.bases)) <= 2_000
    assert failure.bases[0].endswith("Long58")
    assert describe_error(ValueError()).bases == ()


@pytest.mark.parametrize("bad", ["ValueError", int, None, (ValueError, "x")])
def test_is_a_takes_exception_classes(bad: Any) -> None:
    failed = StepFailed("a", "a", "TypeError", "", 1)
    with pytest.raises(TypeError, match="is_a\\(\\) takes an exception class, or a tuple of them"):
        failed.is_a(bad)


def failed(id: str, kind: type[Exception]) -> Execution:
    error = replace(describe_error(kind("no")), step="ask", traceback=None)
    return Execution(id, "w", "1", 1000.0 + len(id), status="FAILED", error=error, ended_at=1002.0)


def test_dead_letters_of_two_classes_are_two_groups(backend: Any) -> None:
    for execution in (failed("a", Bank.Declined), failed("bb", Bank.Declined), failed("ccc", Insurer.Declined)):
        running = replace(execution, status="RUNNING", error=None, ended_at=None)
        assert backend.run(backend.store.create(running))
        assert backend.run(backend.store.finish(End(execution)))
        assert backend.run(backend.store.read(execution.execution_id)).error == execution.error
    faults, complete = backend.run(backend.store.faults(None, 10))
    told = [(one.error, (one.error_class or "").rpartition("contract.")[2], one.count) for one in groups_of(faults)]
    assert complete
    assert told == [
        ("Declined", "test_error_class.Bank.Declined", 2),
        ("Declined", "test_error_class.Insurer.Declined", 1),
    ]


def test_what_version_0_1_recorded_is_read() -> None:
    from stepfast.backends.dynamodb import attempts
    from stepfast.backends.sqlite import rows

    old: dict[str, Any] = {"type": "Declined", "message": "no", "step": "ask", "traceback": None, "parked": None}
    assert rows._failure(json.dumps(old)) == Failure(**old)
    assert attempts.failure_of(["Declined", "no", "ask", None]) == Failure("Declined", "no", "ask")
    assert attempts.failure_list(Failure("Declined", "no", "ask")) == ["Declined", "no", "ask", None]


# -- RetryAfter with what a server sent -------------------------------------------------------------------


@pytest.mark.parametrize("home", [Environment, MotoCloud])
@pytest.mark.parametrize("far", [timedelta(hours=1), timedelta(days=3000)])
@pytest.mark.parametrize("as_header", [False, True])
def test_a_step_is_tried_again_when_a_server_said_so(home: Any, far: timedelta, as_header: bool) -> None:
    due = list[datetime]()

    @step
    def polite() -> int:
        if not due:
            due.append(env.now + far)
            raise RetryAfter(format_datetime(due[0], usegmt=True) if as_header else far)
        return 1

    @workflow("polite-flow")
    async def flow() -> int:
        return await polite()

    with home(flow) as env:
        assert env.run(flow).result == 1
        assert abs((env.now - due[0]).total_seconds()) < 5
