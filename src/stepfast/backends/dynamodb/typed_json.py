"""DynamoDB's typed JSON by hand, and what its values weigh.

boto3's serialiser knows ten types and works with Decimals; five types and floats are all that is stored here.
"""

from __future__ import annotations

from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]

MAX_ITEM = 400 * 1024
"""Bytes of an item, names included; DynamoDB takes no more."""


def text(value: str) -> Value:
    return {"S": value}


def number(value: float) -> Value:
    """repr() has the digits that bring a float back exactly: 17 at most, where DynamoDB keeps 38."""
    return {"N": repr(value)}


def text_in(item: Item, name: str) -> str | None:
    value = item.get(name)
    return None if value is None else str(value["S"])


def float_in(item: Item, name: str) -> float | None:
    value = item.get(name)
    return None if value is None else float(value["N"])


def int_in(item: Item, name: str, default: int = 0) -> int:
    value = item.get(name)
    return default if value is None else int(value["N"])


def same(item: Item, other: Item) -> bool:
    """True for items that say the same; when they were written does not count.

    DynamoDB writes numbers its own way (1000 for 1000.0), so they are compared as such.
    """
    return item.keys() == other.keys() and all(
        _equal(value, other[name]) for name, value in item.items() if name != "wrote"
    )


def _equal(value: Value, other: Value) -> bool:
    if "N" in value and "N" in other:
        return float(value["N"]) == float(other["N"])
    return value == other


def size_of(item: Item) -> int:
    """Bytes of an item by AWS's published rules; numbers are approximate there, too."""
    return sum(len(name.encode()) + size_of_value(value) for name, value in item.items())


def size_of_value(value: Value) -> int:
    """Bytes of one value without its name."""
    kind, held = next(iter(value.items()))
    if kind == "S":
        return len(held.encode())
    if kind == "N":
        return _size_of_number(held)
    if kind == "B":
        return len(held)
    if kind == "M":
        return 3 + len(held) + size_of(held)
    if kind == "L":
        return 3 + len(held) + sum(size_of_value(element) for element in held)
    return 1


def _size_of_number(written: str) -> int:
    """One byte per two significant digits, one more, and one for a sign."""
    digits = written.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + written.startswith("-")
