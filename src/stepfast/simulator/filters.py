"""Event filter patterns of Lambda's event source mappings, as far as AWS defines them for streams. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

OPERATORS = frozenset({"exists", "prefix", "suffix", "anything-but", "numeric", "equals-ignore-case"})


def check(pattern: Any, path: str = "") -> None:
    """ValueError for what is not a pattern; AWS refuses the mapping then."""
    if not isinstance(pattern, Mapping) or not pattern:
        raise ValueError(f"a filter pattern is a JSON object of patterns, at {path or 'its root'}")
    for key, rule in pattern.items():
        where = f"{path}.{key}".lstrip(".")
        if isinstance(rule, Mapping):
            check(rule, where)
        elif not isinstance(rule, Sequence) or isinstance(rule, str) or not rule:
            raise ValueError(f"{where} of a filter pattern is an array, such as [{rule!r}]")
        else:
            for condition in rule:
                if isinstance(condition, Mapping) and (len(condition) != 1 or not set(condition) <= OPERATORS):
                    raise ValueError(f"{where} of a filter pattern has an unknown operator: {condition!r}")


def passes(patterns: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> bool:
    """True if any pattern fits, or if there are no patterns."""
    return not patterns or any(_fits(pattern, record) for pattern in patterns)


def _fits(pattern: Mapping[str, Any], value: Any) -> bool:
    if not isinstance(value, Mapping):
        value = {}
    return all(
        _fits(rule, value.get(key)) if isinstance(rule, Mapping) else _any(rule, value, key)
        for key, rule in pattern.items()
    )


def _any(rules: Sequence[Any], holder: Mapping[str, Any], key: str) -> bool:
    return any(_meets(rule, holder, key) for rule in rules)


def _meets(rule: Any, holder: Mapping[str, Any], key: str) -> bool:
    present, value = key in holder, holder.get(key)
    if isinstance(rule, Mapping):
        ((operator, wanted),) = rule.items()
        if operator == "exists":  # looks at leaves only: an object does not exist
            exists: bool = present and not isinstance(value, Mapping)
            return exists if wanted else not exists
        return present and any(_compare(operator, wanted, leaf) for leaf in _leaves(value))
    return present and any(_same(rule, leaf) for leaf in _leaves(value))


def _leaves(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _same(wanted: Any, value: Any) -> bool:
    # JSON's true is not 1, and the text "1", which is how DynamoDB writes numbers, is neither.
    return type(wanted) is type(value) and bool(wanted == value)


def _compare(operator: str, wanted: Any, value: Any) -> bool:
    if operator == "anything-but":
        return not any(_same(leaf, value) for leaf in _leaves(wanted))
    if operator == "numeric":
        return _numeric(wanted, value)
    if not isinstance(value, str):
        return False
    match operator:
        case "prefix":
            return value.startswith(wanted)
        case "suffix":
            return value.endswith(wanted)
        case _:
            return bool(value.lower() == wanted.lower())


def _numeric(wanted: Sequence[Any], value: Any) -> bool:
    """Never true of a DynamoDB number, which is a text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    compared: dict[str, Callable[[float], bool]] = {
        "=": lambda bound: value == bound,
        "<": lambda bound: value < bound,
        "<=": lambda bound: value <= bound,
        ">": lambda bound: value > bound,
        ">=": lambda bound: value >= bound,
    }
    return all(compared[sign](bound) for sign, bound in zip(wanted[::2], wanted[1::2], strict=True))
