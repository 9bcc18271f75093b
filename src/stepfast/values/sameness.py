"""Compares JSON texts as JSON, before any validation, to recognize a repeated request. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(text: str) -> str:
    """The canonical form of a JSON text: keys are sorted, and equal numbers have one form. true stays unlike 1."""
    return json.dumps(json.loads(text, parse_float=_number), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def same_json(left: str, right: str) -> bool:
    """True when two JSON texts are equal except for the order of keys and the form of numbers (1, 1.0, 1e0)."""
    return left == right or canonical(left) == canonical(right)


def fingerprint(text: str) -> str:
    """128 bits of SHA-256, in hex, of the canonical form of a JSON text."""
    return hashlib.sha256(canonical(text).encode()).hexdigest()[:32]


def was_sent(held: str | None, text: str) -> bool:
    """True when the same JSON was sent before. held: the result of `Codec.sent` at that time; None if unknown."""
    return held is not None and held.split()[0] == fingerprint(text)


def without(value: Any, placeholder: Any, other: Any) -> tuple[Any, Any]:
    """Both values without the parts where the first has a placeholder."""
    if isinstance(value, dict) and isinstance(other, dict):
        kept = {key: part for key, part in value.items() if part != placeholder}
        pairs = {key: without(part, placeholder, other[key]) for key, part in kept.items() if key in other}
        mine = {key: pairs[key][0] if key in pairs else part for key, part in kept.items()}
        theirs = {
            key: pairs[key][1] if key in pairs else part
            for key, part in other.items()
            if key in kept or key not in value
        }
        return mine, theirs
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        pairs_of_parts = [without(part, placeholder, other_part) for part, other_part in zip(value, other, strict=True)]
        return [part for part, _ in pairs_of_parts], [other_part for _, other_part in pairs_of_parts]
    return value, other
