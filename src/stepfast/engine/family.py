"""Which executions are children of which, by what is recorded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from stepfast.model import Execution, Record, Snapshot


def is_child_of(child: Execution, parent: str, command: str) -> bool:
    """Whether an execution was started for this command of this parent."""
    return child.link is not None and (child.link.parent, child.link.command) == (parent, command)


def is_paused_with(child: Execution) -> bool:
    """Whether a child is PAUSED because its parent was (rule *pause*)."""
    hand = child.intervention
    return child.status == "PAUSED" and hand is not None and hand.parent is not None


def child_records(snapshot: Snapshot, asked: Sequence[str] = ()) -> list[Record]:
    """The records of commands that have asked for children. asked: the ids of commands in the order of the code.

    Those that it does not name come last, by when the code asked for them.
    """
    places = {id: place for place, id in enumerate(asked)}
    records = [record for record in snapshot.records.values() if record.kind == "child" and record.children]
    return sorted(records, key=lambda record: (places.get(record.id, len(places)), record.first_at or 0.0, record.id))


def children_of(snapshot: Snapshot, asked: Sequence[str] = ()) -> list[str]:
    """The ids of the executions that were started as children, or were just about to be started."""
    return list(dict.fromkeys(id for record in child_records(snapshot, asked) for id in record.children))
