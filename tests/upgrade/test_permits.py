"""Permits in messages that earlier functions read: while a deployment replaces them, or after it is undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stepfast.backends.aws.messages import body_of
from stepfast.engine.limit_items import LimitId, Permit
from stepfast.engine.messages import Message


def _of_eight(fields: Any) -> Any:
    """As the functions of the first version with limits read a permit: with eight fields, and with no others."""
    match fields:
        case [str(), str(), int(), int(), int() | float(), str(), int() | float(), bool()]:
            return fields
    raise ValueError("these functions take the message for a foreign one")


def _of_twelve(fields: Any) -> Any:
    """As those after them: they fill up what is missing, and refuse a thirteenth."""
    more: dict[int, list[Any]] = {8: [None, False, "", 0.0], 11: [0.0]}
    match [*fields, *more.get(len(fields), [])]:
        case [*first, int() | float() | None, bool(), str(), int() | float() | None]:
            return _of_eight(first)
    raise ValueError("these functions take the message for a foreign one")


@pytest.mark.parametrize("read", [_of_eight, _of_twelve])
@pytest.mark.parametrize(
    "permit",
    [
        Permit(LimitId("pdf", "k", 1), 2, 3.0, "t", 4.0, True, 1.0, True, "k", 0.5),
        Permit(LimitId("pdf"), 2, 3.0, reserved=True, put_off=None),
        Permit(LimitId("pdf"), 0, 3.5),
    ],
    ids=["put off", "at the front", "plain"],
)
def test_earlier_functions_read_a_permit(permit: Permit, read: Callable[[Any], Any]) -> None:
    (fields,) = json.loads(body_of(Message("step", "one", "a", 0, permits=(permit,)), None, 5.0))["permits"]
    id = permit.id
    held = [id.name, id.key, id.shard, permit.revision, permit.since, permit.token, permit.lease, permit.reserved]
    assert read(fields)[:8] == held
