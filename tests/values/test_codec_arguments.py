"""A call's arguments as one JSON object, and the same call made of it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from stepfast.errors import DefinitionError, InvalidRequest, NotStorable
from stepfast.language.arguments import Arguments
from stepfast.values.codec import digest
from tests.values.codec_types import Line, Order, Point, Tree

DUE = date(2020, 1, 1)


def plain(a: int, b: Decimal = Decimal(1)) -> Any:
    return a, b


def every(a: int, /, b: str, *rest: Decimal, k: date = DUE, **more: Point) -> Any:
    return a, b, rest, k, more


def untyped(a, b=None, *rest, **more) -> Any:  # type: ignore[no-untyped-def]
    return a, b, rest, more


def shadowed(a: int, /, **more: int) -> Any:
    return a, more


def named(self: int, _hidden: int, model_config: int, schema: int) -> Any:
    return self, _hidden, model_config, schema


def forward(tree: list[Tree], later: Defined) -> Any:
    return tree, later


class Defined(Line):
    """Defined after the function that names it."""


def nothing() -> Any:
    return ()


def arguments(function: Callable[..., Any]) -> Arguments:
    return Arguments(function, "step 'f': argument")


def text_of(call: Arguments, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    return call.encode(call.bind(args, kwargs))


CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (nothing, (), {}),
    (plain, (1,), {}),
    (plain, (1, Decimal("2.50")), {}),
    (plain, (), {"b": Decimal(3), "a": 1}),
    (every, (1, "b"), {}),
    (every, (1, "b", Decimal("0.1"), Decimal("0.20")), {"k": date(2026, 1, 1), "p": Point(1.0), "q": Point(2.0)}),
    (every, (1,), {"b": "x", "a": Point(0.5)}),
    (untyped, ({"a": [1, None]},), {}),
    (untyped, (1, 2, 3, [4]), {"x": {"y": 1}}),
    (shadowed, (1,), {"a": 2, "more": 3}),
    (named, (1, 2, 3, 4), {}),
    (forward, ([Tree(value=1)], Defined(name="n", price=Decimal(1))), {}),
]


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_a_call_can_be_made_again_from_its_text(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    call = arguments(function)
    bound = call.decode(text_of(call, args, kwargs))
    assert function(*bound.args, **bound.kwargs) == function(*args, **kwargs)


def test_defaults_left_out_stay_out_of_the_text() -> None:
    assert json.loads(text_of(arguments(plain), (1,), {})) == {"a": 1}


def test_positional_and_named_arguments_make_the_same_text() -> None:
    call = arguments(plain)
    assert text_of(call, (1, Decimal(2)), {}) == text_of(call, (), {"a": 1, "b": Decimal(2)})


def test_decoded_arguments_share_nothing_between_attempts() -> None:
    call = arguments(untyped)
    text = text_of(call, ([1],), {})
    first, second = call.decode(text), call.decode(text)
    first.args[0].append(2)
    assert second.args[0] == [1]


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"c": 1}), ((1,), {"a": 1})])
def test_a_wrong_call_is_a_type_error_as_anywhere(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError):
        text_of(arguments(plain), args, kwargs)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "path"),
    [
        (plain, ("x",), {}, ".a"),
        (every, (1, "b", Decimal(1), "no number"), {}, ".rest[1]"),
        (every, (1, "b"), {"p": Point(float("nan"))}, ".more.p.x"),
        (untyped, (1,), {"x": {1, 2}}, ".more.x"),
        (untyped, ([object()],), {}, ".a[0]"),
        (forward, ([Tree(value=1), 5], None), {}, ".tree[1]"),
    ],
)
def test_an_argument_that_cannot_be_stored_is_named_by_step_and_path(
    function: Any, args: Any, kwargs: Any, path: str
) -> None:
    with pytest.raises(NotStorable) as refused:
        text_of(arguments(function), args, kwargs)
    assert refused.value.path == path
    assert str(refused.value).startswith(f"step 'f': argument{path}")


def test_recorded_arguments_that_no_longer_fit_are_named() -> None:
    with pytest.raises(InvalidRequest, match=r"step 'f': argument: a: .*valid integer") as refused:
        arguments(plain).decode('{"a": "x"}')
    assert refused.value.fields[0][0] == "a"


def test_an_argument_added_with_a_default_leaves_recorded_calls_the_same() -> None:
    recorded = text_of(arguments(lambda a: a), (1,), {})
    assert arguments(plain).codec.same(recorded, text_of(arguments(plain), (1,), {}))
    assert not arguments(plain).codec.same(recorded, text_of(arguments(plain), (1, Decimal(2)), {}))
    assert arguments(plain).decode(recorded).args == (1,)


def test_a_model_field_added_with_a_default_leaves_recorded_calls_the_same() -> None:
    def take(order: Order) -> None: ...

    codec = arguments(take).codec
    full = text_of(arguments(take), (Order.model_validate({"id": "1" * 32, "at": "2026-01-01T00:00:00"}),), {})
    older = json.loads(full)
    del older["order"]["tags"], older["order"]["due"]
    assert codec.same(json.dumps(older), full)
    older["order"]["tags"] = ["new"]
    assert not codec.same(json.dumps(older), full)


def test_sets_in_another_order_are_the_same_and_have_one_text() -> None:
    def take(tags: set[str]) -> None: ...

    codec = arguments(take).codec
    names = [f"tag {n}" for n in range(50)]
    assert len({text_of(arguments(take), (set(order),), {}) for order in (names, names[::-1])}) == 1
    assert codec.same('{"tags": ["a", "b"]}', '{"tags": ["b", "a"]}')
    assert not codec.same('{"tags": ["a", "b"]}', '{"tags": ["a"]}')


def test_texts_that_cannot_be_read_any_more_are_not_the_same() -> None:
    assert not arguments(plain).codec.same('{"a": "x"}', '{"a": 1}')
    assert not arguments(plain).codec.same('{"a": 1}', "{")


def test_an_unknown_name_in_an_annotation_is_a_definition_error() -> None:
    def broken(a: list[Nowhere]) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(DefinitionError, match="step 'f': argument: an annotation cannot be resolved: .*Nowhere"):
        arguments(broken).check()


def test_a_type_without_json_form_is_named_by_its_parameter() -> None:
    def odd(a: int, b: Callable[..., Plain]) -> None: ...
    def odder(a: int, *rest: Plain) -> None: ...

    with pytest.raises(DefinitionError, match=r"step 'f': argument 'rest': list\[.*Plain'?.*\] has no JSON form"):
        arguments(odder).check()
    arguments(odd).check()  # a schema that pydantic has; its values are refused
    with pytest.raises(NotStorable, match=r"argument\.b"):
        text_of(arguments(odd), (1, print), {})


class Plain:
    """No model, no dataclass."""


def test_digest_tells_two_inputs_apart_and_is_short() -> None:
    assert digest("{}") == digest("{}")
    assert digest("{}") != digest('{"a":1}')
    assert len(digest("x" * 10_000)) == 16
