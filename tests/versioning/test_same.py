"""`@step(same=…)`: which changed arguments stand, and which do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import step
from stepfast.errors import DefinitionError, NonDeterministic
from stepfast.language.steps import Step
from stepfast.replay.reading import same_input


class Order(BaseModel):
    item: str
    note: str = ""


def made(same: Any) -> Step[..., Any]:
    @step(name="pay", same=same)
    def pay(order: Order, amount: int, note: str = "none") -> None: ...

    return pay


def stands(same: Any, old: dict[str, Any], new: dict[str, Any]) -> bool:
    return same_input(made(same), json.dumps(old), json.dumps(new))


TEA = {"order": {"item": "tea"}, "amount": 1, "note": "a"}


def test_named_arguments_may_differ_and_no_others() -> None:
    assert stands(("note",), TEA, {**TEA, "note": "b"})
    assert stands(["note", "amount"], TEA, {**TEA, "note": "b", "amount": 2})
    assert stands({"note"}, TEA, {"order": {"item": "tea", "note": ""}, "amount": 1})
    assert not stands(("note",), TEA, {**TEA, "amount": 2})
    assert not stands((), TEA, {**TEA, "note": "b"})
    assert not stands(None, TEA, {**TEA, "note": "b"})


def test_a_function_gets_typed_values_where_they_fit_and_plain_ones_where_not() -> None:
    seen: list[Any] = []

    def same(old: Any, new: Any) -> bool:
        seen.append((old["order"], new["order"]))
        return True

    assert stands(same, TEA, {**TEA, "amount": 2})
    assert stands(same, {**TEA, "order": "tea"}, TEA)
    assert seen == [(Order(item="tea"), Order(item="tea")), ("tea", Order(item="tea"))]


def test_equal_arguments_ask_no_function() -> None:
    def same(old: Any, new: Any) -> bool:
        raise AssertionError

    assert stands(same, TEA, dict(reversed(TEA.items())))
    with pytest.raises(NonDeterministic, match="same of step 'pay' raised AssertionError"):
        stands(same, TEA, {**TEA, "amount": 2})


@pytest.mark.parametrize("wrong", ["note", ("notes",), 3])
def test_what_is_no_argument_is_refused(wrong: Any) -> None:
    with pytest.raises(DefinitionError, match="same"):
        made(wrong)


def test_options_keep_it() -> None:
    assert made(("note",)).options(timeout=3).same == {"note"}
