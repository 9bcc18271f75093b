"""Flat values have the text that pydantic's serializer makes, and all others are left to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from stepfast.values.codec import Codec
from stepfast.values.flat import flat_text

ATOMS = st.none() | st.booleans() | st.integers() | st.text()
FLAT = ATOMS | st.dictionaries(st.text(), ATOMS)


@given(FLAT)
def test_the_text_is_that_of_pydantic(value: Any) -> None:
    text = flat_text(value, value)
    if text is not None:
        codec = Codec(JsonValue, "a value")
        assert text == codec._serialize(value)
        assert codec.decode(text) == value


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (True, 1),
        (1, True),
        (1.0, 1),
        (1, 2),
        ("1", 1),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": True}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": None}),
        ({1: 1}, {1: 1}),
        ({None: 1}, {None: 1}),
        ({"a": [1]}, {"a": [1]}),
        ([1], [1]),
        (0.5, 0.5),
        (2**63, 2**63),
        ("é", "é"),
        (type("Name", (str,), {})("a"), "a"),
    ],
)
def test_other_values_are_left_to_pydantic(value: object, valid: object) -> None:
    assert flat_text(value, valid) is None
