"""Every exception of stepfast comes back from pickle and copy as it was, as pools of processes and queues need it."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

import stepfast
from stepfast import ContinueAsNew
from stepfast.errors import GiveUp, RetryAfter, StepFailed, StepfastError

FAILED = {"execution_id": "e", "error": {"step": "s", "type": "T", "message": "m", "traceback": None}}
MADE_WITH: dict[str, Any] = {
    "execution": FAILED,
    "seconds": 3,
    "fields": (("a", "b"),),
    "sent": True,
    "attempts": 2,
    "message": "a message",
}
OPTIONAL = ("aws_cdk", "moto", "time_machine", "boto3", "botocore", "pytest", "playwright")


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(stepfast.__path__, "stepfast."):
        if found.name.endswith("__main__"):
            continue
        try:
            yield importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in OPTIONAL:
                raise


def exceptions() -> list[type[BaseException]]:
    found = {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseException) and value.__module__.startswith("stepfast.")
    }
    return sorted(found, key=lambda one: (one.__module__, one.__name__))


EXCEPTIONS = [one for one in exceptions() if not one.__module__.startswith("stepfast.http.")]
"""Of the HTTP handlers' own none leaves a request."""


def made(kind: type[BaseException]) -> BaseException:
    """An instance with a value for every argument of its constructor."""
    if kind is ContinueAsNew:  # its constructor takes part in a replay
        error = ContinueAsNew.__new__(ContinueAsNew, "a message")
        error.input, error.text = {"turn": 2}, '{"turn": 2}'
        return error
    if "__init__" not in {name for one in kind.__mro__ if one.__module__.startswith("stepfast.") for name in vars(one)}:
        return kind("a message")
    parameters = list(inspect.signature(kind).parameters.values())
    values = [MADE_WITH.get(one.name, one.name) for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    return kind(*values)


def test_there_are_as_many_as_the_hierarchy_says() -> None:
    ours = [one for one in EXCEPTIONS if issubclass(one, StepfastError)]
    assert len(ours) >= 25
    assert {GiveUp, RetryAfter, StepFailed} <= set(ours)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda one: f"{one.__module__}.{one.__name__}")
@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_an_exception_comes_back_as_it_was(kind: type[BaseException], way: str) -> None:
    error = made(kind)
    error.add_note("seen on the way")
    back = {"pickle": lambda one: pickle.loads(pickle.dumps(one)), "copy": copy.copy, "deepcopy": copy.deepcopy}[way](
        error
    )
    assert type(back) is kind
    assert (str(back), back.args, vars(back)) == (str(error), error.args, vars(error))


class OwnGiveUp(GiveUp):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code


def test_so_does_one_that_a_program_derives() -> None:
    back = pickle.loads(pickle.dumps(OwnGiveUp(7, "closed")))
    assert (type(back), back.code, str(back)) == (OwnGiveUp, 7, "7: closed")


# -- RetryAfter -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        (0, 0.0),
        (2.5, 2.5),
        (timedelta(minutes=3), 180.0),
        (timedelta(0), 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Sun Nov  6 08:49:37 1994", 0.0),
    ],
)
def test_retry_after_takes_seconds_a_timedelta_and_a_header(delay: Any, seconds: float) -> None:
    assert RetryAfter(delay).seconds == seconds


def test_retry_after_takes_a_date_that_is_still_to_come() -> None:
    header = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3590 < RetryAfter(header).seconds <= 3600


@pytest.mark.parametrize(
    "delay",
    [
        *(-1, -0.5, timedelta(seconds=-1), float("nan"), float("inf"), 10**400, "9" * 400, timedelta(days=3651), 4e8),
        *("", "soon", "-5", "1.5", "1e3", "٣", "Wed, 99 Oct 2015 07:28:00 GMT", None, True, b"120", [1]),
    ],
)
def test_retry_after_refuses_what_is_no_delay(delay: Any) -> None:
    with pytest.raises(ValueError, match="^RetryAfter"):
        RetryAfter(delay)


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -1200"])
def test_retry_after_refuses_a_date_that_nobody_lives_to_see(date: str) -> None:
    with pytest.raises(ValueError, match="^RetryAfter"):
        RetryAfter(date)


def test_an_absent_header_is_said_to_be_absent() -> None:
    with pytest.raises(ValueError, match="the answer had no such header"):
        RetryAfter(None)  # type: ignore[arg-type]
