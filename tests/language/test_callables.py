"""What @step and @workflow go on: every kind of callable either works or is refused where it is decorated."""

import contextlib
import functools
import operator
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from decimal import Decimal
from typing import Any

import pytest

from stepfast import Retry, step, workflow
from stepfast.errors import DefinitionError
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.testing import Environment

ONCE = Retry(max_attempts=1)
Function = Callable[..., Any]


def logged(function: Function) -> Function:
    """A decorator as it is written for `def` functions."""

    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


async def charge(amount: Decimal, currency: str = "EUR") -> Decimal:
    assert isinstance(amount, Decimal)
    return amount


def refund(amount: Decimal) -> Decimal:
    assert isinstance(amount, Decimal)
    return amount


def promises(amount: Decimal) -> Awaitable[Decimal]:
    return charge(amount)


def promises_text(amount: Decimal) -> "Coroutine[Any, Any, Decimal]":
    return charge(amount)


class Service:
    def __init__(self, fee: int = 0) -> None:
        self.fee = fee

    async def bound(self, amount: Decimal) -> Decimal:
        return amount + self.fee

    def bound_def(self, amount: Decimal) -> Decimal:
        return amount + self.fee

    @classmethod
    def of_class(cls, amount: Decimal) -> Decimal:
        return amount

    @step(retry=ONCE)
    @staticmethod
    async def static_below(amount: Decimal) -> Decimal:
        return amount

    @staticmethod
    @step(retry=ONCE)
    async def static_above(amount: Decimal) -> Decimal:
        return amount

    async def __call__(self, amount: Decimal) -> Decimal:
        return amount


@functools.lru_cache
def cached(amount: Decimal) -> Decimal:
    return amount


WORKING: dict[str, Any] = {
    "async def": charge,
    "def": refund,
    "def wrapper of an async def": logged(charge),
    "two wrappers of an async def": logged(logged(charge)),
    "def that returns an Awaitable": promises,
    "def that returns a Coroutine, as text": promises_text,
    "partial of an async def": functools.partial(charge, currency="USD"),
    "partial of a def": functools.partial(refund),
    "partial of a partial": functools.partial(functools.partial(charge), currency="USD"),
    "bound method": Service().bound,
    "bound def method": Service().bound_def,
    "bound class method": Service.of_class,
    "cached def": cached,
    "named lambda": lambda amount: charge(Decimal(amount)),
}


@pytest.mark.parametrize("kind", WORKING)
def test_what_works_as_a_step_gets_and_gives_typed_values(kind: str) -> None:
    function = WORKING[kind]
    made: Any = Step(
        function,
        name="under-test",
        retry=ONCE,
        timeout=60,
        heartbeat=None,
        pool="default",
        at_most_once=False,
    )
    plain = kind == "named lambda"

    @workflow("uses-it")
    async def uses() -> bool:
        result = await made("1.5" if plain else Decimal("1.5"))
        return bool(result == ("1.5" if plain else Decimal("1.5")))

    with Environment(uses) as env:
        if plain:  # without annotations only plain values are taken
            assert "argument" not in str(env.run(uses).error or "")
        else:
            assert env.run(uses).result is True


@pytest.mark.parametrize("access", [Service.static_below, Service().static_below, Service.static_above])
def test_a_static_method_is_a_step_either_way_round(access: Any) -> None:
    @workflow("uses-static")
    async def uses() -> Decimal:
        return Decimal(await access(Decimal("1.5")))

    with Environment(uses) as env:
        assert env.run(uses).result == Decimal("1.5")


def generator(n: int) -> Iterator[int]:
    yield n


async def async_generator(n: int) -> AsyncIterator[int]:
    yield n


@types.coroutine
def old_coroutine() -> Iterator[None]:
    yield


@contextlib.contextmanager
def opened(n: int) -> Iterator[int]:
    yield n


@contextlib.asynccontextmanager
async def async_opened(n: int) -> AsyncIterator[int]:
    yield n


@functools.lru_cache
async def cached_coroutine(n: int) -> int:
    return n


class Model:
    def method(self, n: int) -> int:
        return n

    async def async_method(self, n: int) -> int:
        return n

    @classmethod
    def of_class(cls, n: int) -> int:
        return n

    partial = functools.partialmethod(method, 1)


IMPOSSIBLE: dict[str, tuple[Any, str]] = {
    "generator": (generator, "is a generator: return a list"),
    "async generator": (async_generator, "is a generator: return a list"),
    "partial of a generator": (functools.partial(generator, 1), "is a generator"),
    "generator-based coroutine": (old_coroutine, "is a generator"),
    "context manager": (opened, "makes a context manager"),
    "async context manager": (async_opened, "makes a context manager"),
    "cached coroutine": (cached_coroutine, "is cached, and a coroutine can be awaited only once"),
    "class": (Model, "not on the class Model: decorate a module-level function that makes"),
    "method": (Model.method, "is a method: its object or class cannot be recorded"),
    "async method": (Model.async_method, "is a method"),
    "class method": (vars(Model)["of_class"], "is a method"),
    "partial method": (vars(Model)["partial"], "is a method"),
    "property": (property(lambda self: 1), "@step goes on a function"),
    "builtin": (len, "is built in and says nothing of its types: write a function with annotations"),
    "builtin method": ("".join, "is built in"),
    "method descriptor": (str.upper, "is built in"),
    "builtin class": (int, "not on the class int"),
    "C object that can be called": (operator.itemgetter(1), "is an object that can be called"),
    "object that can be called": (Service(), "is an object that can be called"),
    "a name": ("charge", "@step goes on a function, not on 'charge': a name is given as name='charge'"),
    "a coroutine's result": (None, "@step goes on a function, not on None"),
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_what_cannot_work_is_refused_where_it_is_decorated(kind: str) -> None:
    function, said = IMPOSSIBLE[kind]
    with pytest.raises(DefinitionError, match=said):
        step(name="x")(function)


@pytest.mark.parametrize("kind", [kind for kind in IMPOSSIBLE if kind != "a name"])
def test_nor_is_it_a_workflow(kind: str) -> None:
    with pytest.raises(DefinitionError):
        workflow("x")(IMPOSSIBLE[kind][0])


def test_a_method_is_refused_as_its_class_is_made() -> None:
    with pytest.raises(DefinitionError, match=r"Inner\.method is a method"):

        class Inner:
            @step
            async def method(self, n: int) -> int:
                return n


def test_a_def_wrapper_of_a_workflow_function_is_a_workflow() -> None:
    async def total(amount: Decimal) -> Decimal:
        return amount

    flow: Any = workflow("wrapped")(logged(total))
    with Environment(flow) as env:
        assert env.run(flow, Decimal("1.5")).result == Decimal("1.5")


# -- twice ----------------------------------------------------------------------------------------------


async def fresh(n: int) -> int:
    return n


def a_function() -> Function:
    async def function(n: int) -> int:
        return n

    return function


TWICE: dict[str, Callable[[], Any]] = {
    "step over step": lambda: step(step(a_function())),
    "step with options over step": lambda: step(name="again")(step(a_function())),
    "workflow over step": lambda: workflow("w")(step(a_function())),
    "step over workflow": lambda: step(workflow("w")(a_function())),
    "workflow over workflow": lambda: workflow("v")(workflow("w")(a_function())),
    "bare workflow over workflow": lambda: workflow(workflow("w")(a_function())),
    "step over a decorator over a step": lambda: step(logged(step(a_function()))),
    "workflow over a decorator over a workflow": lambda: workflow("v")(logged(workflow("w")(a_function()))),
    "step over two decorators over a step": lambda: step(logged(logged(step(a_function())))),
    "step over a partial of a step": lambda: step(name="p")(functools.partial(step(a_function()), 1)),
    "step over a static method of a step": lambda: step(staticmethod(step(a_function()))),
}


@pytest.mark.parametrize("way", TWICE)
def test_decorating_twice_is_refused(way: str) -> None:
    with pytest.raises(DefinitionError, match="is decorated twice"):
        TWICE[way]()


def test_one_function_under_two_names_is_refused() -> None:
    function = a_function()
    step(name="first")(function)
    with pytest.raises(DefinitionError, match="is the step 'first' already, and cannot be the step 'second' as well"):
        step(name="second")(function)
    with pytest.raises(DefinitionError, match="cannot be the workflow 'flow' as well"):
        workflow("flow")(function)


def test_one_function_under_one_name_may_have_other_options() -> None:
    function = a_function()
    assert step(timeout=5)(function).name == step(timeout=6)(function).name


def test_a_plain_decorator_over_a_step_calls_the_step() -> None:
    quick: Any = logged(step(name="quick", retry=ONCE)(fresh))

    @workflow("calls-decorated")
    async def calls() -> int:
        return int(await quick(3))

    with Environment(calls) as env:
        assert env.run(calls).result == 3
        assert isinstance(calls, Workflow)
