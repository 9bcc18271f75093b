"""Filter patterns of event source mappings."""

from typing import Any

import pytest

from stepfast.simulator.filters import check, passes

RECORD = {
    "eventName": "MODIFY",
    "dynamodb": {"NewImage": {"wake": {"N": "1"}, "name": {"S": "tea"}, "flags": {"BOOL": True}}, "Size": 12},
}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ({"eventName": ["MODIFY"]}, True),
        ({"eventName": ["INSERT", "MODIFY"]}, True),
        ({"eventName": ["INSERT"]}, False),
        ({"dynamodb": {"NewImage": {"wake": {"N": [{"exists": True}]}}}}, True),
        ({"dynamodb": {"NewImage": {"wake": [{"exists": True}]}}}, False),  # not a leaf
        ({"dynamodb": {"NewImage": {"gone": {"N": [{"exists": True}]}}}}, False),
        ({"dynamodb": {"NewImage": {"gone": {"N": [{"exists": False}]}}}}, True),
        ({"dynamodb": {"NewImage": {"wake": {"N": ["1"]}}}}, True),
        ({"dynamodb": {"NewImage": {"wake": {"N": [1]}}}}, False),  # a number is a text there
        ({"dynamodb": {"NewImage": {"wake": {"N": [{"numeric": [">", 0]}]}}}}, False),
        ({"dynamodb": {"Size": [{"numeric": [">", 10, "<=", 12]}]}}, True),
        ({"dynamodb": {"Size": [{"numeric": ["<", 12]}]}}, False),
        ({"dynamodb": {"NewImage": {"name": {"S": [{"prefix": "te"}]}}}}, True),
        ({"dynamodb": {"NewImage": {"name": {"S": [{"suffix": "te"}]}}}}, False),
        ({"dynamodb": {"NewImage": {"name": {"S": [{"anything-but": ["tea"]}]}}}}, False),
        ({"dynamodb": {"NewImage": {"name": {"S": [{"equals-ignore-case": "TEA"}]}}}}, True),
        ({"dynamodb": {"NewImage": {"flags": {"BOOL": [True]}}}}, True),
        ({"eventName": ["MODIFY"], "dynamodb": {"Size": [13]}}, False),  # all of them
    ],
)
def test_a_pattern_fits_as_aws_says(pattern: Any, fits: bool) -> None:
    check(pattern)
    assert passes([pattern], RECORD) is fits


def test_any_of_several_patterns_will_do_and_none_lets_everything_pass() -> None:
    assert passes([{"eventName": ["REMOVE"]}, {"eventName": ["MODIFY"]}], RECORD)
    assert passes([], RECORD)


@pytest.mark.parametrize("pattern", [{}, [], {"a": "b"}, {"a": []}, {"a": [{"like": "x"}]}, {"a": {"b": 1}}])
def test_what_is_no_pattern_is_refused(pattern: Any) -> None:
    with pytest.raises(ValueError, match="filter pattern"):
        check(pattern)
