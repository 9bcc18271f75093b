"""The options of @workflow about starts: what they take, and what they refuse."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stepfast import Rate, child, label, workflow
from stepfast.errors import DefinitionError


async def flow(order: str) -> str:
    return order


async def plain(order: str) -> str:
    return order


async def single(order: str) -> str:
    return order


async def named(order: str) -> str:
    return order


def test_the_options_are_kept_with_the_workflow() -> None:
    made = workflow("made", singleton=label("customer"), on_conflict="skip", throttle=Rate(10, per=60))(flow)
    assert made.starts is not None
    assert (made.starts.on_conflict, made.starts.throttle) == ("skip", Rate(10, per=60))
    assert workflow("plain")(plain).starts is None
    assert workflow(throttle=Rate(1))(named).name == "named"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"singleton": "customer"}, "singleton takes a function"),
        ({"singleton": flow, "on_conflict": "drop"}, 'on_conflict is "wait", "skip" or "replace"'),
        ({"on_conflict": "skip"}, "on_conflict is for a workflow with singleton"),
        ({"throttle": 10}, "throttle takes a Rate"),
        ({"throttle_key": flow}, "throttle_key is for a workflow with throttle"),
        ({"throttle": Rate(1), "throttle_key": 3}, "throttle_key takes a function"),
        ({"debounce_key": flow}, "debounce_key is for a workflow with debounce"),
        ({"debounce": 0}, "debounce is a number of seconds above 0 or a timedelta"),
        ({"debounce": 3, "throttle": Rate(1)}, "debounce goes together with neither singleton nor throttle"),
        ({"singleton": flow, "priority": 1000}, "priority is a whole number from 0 to 999"),
        ({"throttle": Rate(1), "priority": 3}, "priority is for executions that wait in line"),
        ({"singleton": flow, "on_conflict": "skip", "priority": 3}, "priority is for executions that wait in line"),
    ],
)
def test_what_makes_no_sense_is_refused(options: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        workflow("wrong", **options)


def test_a_parent_that_is_called_as_a_function_finds_out_that_it_cannot_have_such_a_child() -> None:
    one = workflow("one-at-a-time", singleton=label("customer"))(single)

    async def above() -> None:
        await child(one, "acme")

    with pytest.raises(DefinitionError, match="'one-at-a-time' has a singleton.*: start it in a step"):
        asyncio.run(workflow("above")(above)())
