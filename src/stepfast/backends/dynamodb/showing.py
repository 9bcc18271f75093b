"""What workflow code shows of itself, as attributes of a meta (rule *shown*). The index holds the labels, too."""

from __future__ import annotations

from stepfast.backends.dynamodb.calls import Condition
from stepfast.backends.dynamodb.transactions import stands
from stepfast.backends.dynamodb.typed_json import Item, text
from stepfast.model import Execution
from stepfast.shown import ShownState


def attributes(shown: ShownState) -> Item:
    """What is written of it. Without labels, those of the meta stay."""
    sets: Item = {"shown": text(shown.text)}
    if shown.labels is not None:
        sets["labels"] = {"M": {key: text(value) for key, value in shown.labels.items()}}
    return sets


def condition(execution: Execution, shown: ShownState) -> Condition:
    """The execution is RUNNING in this generation, and shows what has a lower mark, or nothing."""
    runs = stands("RUNNING", execution.generation)
    values = {**runs.values, ":if_floor": text(shown.floor)}
    return Condition(f"{runs.expression} AND (attribute_not_exists(shown) OR shown < :if_floor)", values)
