"""The keys and versions of the table's items: what sort keys begin with, and how the run stands in them. Pure."""

from __future__ import annotations

import hashlib

from stepfast.backends.aws.errors import Misconfigured
from stepfast.backends.dynamodb.typed_json import Item, int_in, number, text
from stepfast.model import run_id_of, run_of

ITEM_VERSION = 2
"""Of metas of executions whose order is a log, and of that log. All other items are as they were in version 1, and say
so: functions of the version before can still read them while a deployment replaces these functions.
"""
FIRST_VERSION = 1
RUN_VERSION = 3
"""Of metas of executions that have continued as new runs. Functions of the versions before would take the records of
the first run for theirs; they refuse these metas.
"""
TURN_VERSION = 4
"""Of metas of executions that were started to wait for their turn or their moment. Functions of the versions before
would have them begin at once; they refuse these metas.
"""
FORK_VERSION = 5
"""Of metas of forks. Functions of the versions before would not find their packed records; they refuse these metas."""
META, CURSOR, INPUT, COMMAND, ENTRY, SIGNAL, HISTORY = "meta", "cursor", "input#", "c#", "o#", "s#", "z#"
NOTE, MEMORY, PACK = "large", "memory", "f#"
RUN, TAKEN, LATER_RUN = "zr#", "zs#", "zz"
"""These sort behind all that a load of a first run reads."""
OF_A_RUN = (COMMAND, ENTRY, HISTORY, INPUT, CURSOR, PACK)
"""What the sort keys of the items of a run begin with."""
DELETED = "DELETED"
"""The status of a tombstone."""
SIGNALS = "signals"
"""How many signals an execution has got, and bytes of their payloads; sorts behind the signals themselves."""
LONGEST_KEY = 1000
"""Bytes of a sort key that a command id may fill; DynamoDB takes 1024, and the number of a run takes 15 of them."""


def partition(execution_id: str) -> str:
    return f"x#{execution_id}"


def key(run_id: str, sort: str) -> Item:
    """The key of an item of a run; `meta`, signals and all that is of the execution have the keys of the first run."""
    return {"pk": text(partition(run_of(run_id)[0])), "sk": text(in_run(run_id, sort))}


def in_run(run_id: str, sort: str) -> str:
    """The sort key in the table of what has this sort key in a first run."""
    _, run = run_of(run_id)
    return sort if run == 1 else f"{LATER_RUN}{run:012}#{sort}"


def sort_of(item: Item) -> str:
    """The sort key without the run."""
    sort = str(item["sk"]["S"])
    return sort.partition("#")[2] if sort.startswith(LATER_RUN) else sort


def key_of(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def execution_id_of(item: Item) -> str:
    return str(item["pk"]["S"])[2:]


def run_id_of_item(item: Item) -> str:
    """The name of the run whose prefix the sort key has; of an item of the whole execution that of the first run."""
    sort = str(item["sk"]["S"])
    run = int(sort[len(LATER_RUN) :].partition("#")[0]) if sort.startswith(LATER_RUN) else 1
    return run_id_of(execution_id_of(item), run)


def run_id_of_meta(meta: Item) -> str:
    """The name of the run that a meta, or the item of an earlier run, is of."""
    return run_id_of(execution_id_of(meta), int_in(meta, "run") or 1)


def run_sort(run: int) -> str:
    return f"{RUN}{run:012}"


def command_sort(command_id: str) -> str:
    """The sort key of a command; ids that are too long for one stand in the item."""
    if len(command_id.encode()) <= LONGEST_KEY:
        return COMMAND + command_id
    return f"{COMMAND}~{hashlib.sha256(command_id.encode()).hexdigest()}"


def history_sort(generation: int, position: int) -> str:
    return f"{HISTORY}{generation:06}#{position:06}"


def entry_sort(number: int) -> str:
    return f"{ENTRY}{number:08}"


def head(execution_id: str, sort: str, now: float, version: int = FIRST_VERSION) -> Item:
    """What every item has."""
    return {**key(execution_id, sort), "v": number(version), "wrote": number(now)}


def checked(item: Item) -> Item:
    """The item, if this version can read it; Misconfigured for one of a newer version."""
    version = int_in(item, "v")
    if version > FORK_VERSION:
        raise Misconfigured(
            f"execution {execution_id_of(item)!r} was written by a newer stepfast (schema {version}, "
            f"this one knows {FORK_VERSION}): deploy that version, or a newer one"
        )
    return item
