"""Encrypted texts: they open at their place and nowhere else."""

from __future__ import annotations

import secrets

import pytest

from stepfast.errors import Misconfigured
from stepfast.values.encryption import DATA_KEY_BYTES, DataKey, KeyId, is_sealed, key_of, opened_size

KEY = DataKey(KeyId("order-1", "0123456789abcdef"), secrets.token_bytes(DATA_KEY_BYTES))


@pytest.mark.parametrize("text", ["", "null", '"é"', "x" * 100_000])
def test_a_text_opens_at_its_place(text: str) -> None:
    sealed = KEY.seal(text, "input", "1")
    assert is_sealed(sealed)
    assert key_of("order-1", sealed) == KEY.id
    assert KEY.open(sealed, "input", "1") == text
    assert len(text.encode()) <= opened_size(len(sealed)) <= len(text.encode()) + 2


def test_the_same_text_at_the_same_place_is_the_same_ciphertext_and_elsewhere_another() -> None:
    assert KEY.seal("7", "input", "1") == KEY.seal("7", "input", "1")
    others = {
        KEY.seal("7", "input", "2"),
        KEY.seal("7", "result", "1"),
        KEY.seal("7", "input1"),
        KEY.seal("8", "input", "1"),
    }
    assert len(others | {KEY.seal("7", "input", "1")}) == 5


@pytest.mark.parametrize("place", [("input", "2"), ("result", "1"), ("input",), ("input", "1", "")])
def test_a_text_does_not_open_at_another_place(place: tuple[str, ...]) -> None:
    with pytest.raises(Misconfigured, match="'order-1'.* does not open: it was changed or moved"):
        KEY.open(KEY.seal("7", "input", "1"), *place)


def test_a_text_does_not_open_in_another_execution_with_the_same_key() -> None:
    key = secrets.token_bytes(DATA_KEY_BYTES)
    one, two = DataKey(KeyId("one", "a" * 16), key), DataKey(KeyId("two", "a" * 16), key)
    with pytest.raises(Misconfigured):
        two.open(one.seal("7", "input", "1"), "input", "1")


@pytest.mark.parametrize("position", [-1, -20, 25])
def test_a_changed_ciphertext_is_an_error_that_does_not_show_it(position: int) -> None:
    sealed = KEY.seal("a value of some length, so that each position is one of the ciphertext", "input", "1")
    other = "A" if sealed[position] != "A" else "B"
    changed = sealed[:position] + other + (sealed[position + 1 :] if position != -1 else "")
    with pytest.raises(Misconfigured) as raised:
        KEY.open(changed, "input", "1")
    assert changed not in str(raised.value)


def test_no_value_is_taken_for_an_encrypted_one() -> None:
    for text in (None, "null", '"#1."', "[]", "#1.", "#1.short"):
        assert key_of("order-1", text) is None
