"""The ids of children, and how an execution stands to a command that asks for a child. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from stepfast.engine.arguments import ID
from stepfast.language.children import NAMED
from stepfast.model import Execution, Link
from stepfast.replay.commands import Command

LONGEST_ID = 128
"""Characters of an execution id."""
PREFIX = 90
"""Characters of a parent's id that the id of its child begins with where not all of it fits."""
_PLAIN = re.compile(rf"{NAMED}([A-Za-z0-9_-]+)(?:#([0-9]+))?")
_AMBIGUOUS = re.compile(r"(-|_g)[0-9]+$")

Standing = Literal["ours", "other", "foreign", "newer"]
"""How an execution stands to a command: it is its child; it was, and another is to be started in its place; it is
something else; a later generation of the parent has asked for it."""


def child_id(parent: str, command: Command, run: int = 1) -> str:
    """The id of a command's child in the first generation that asks for it.

    It is `<parent>.<workflow>`, with the number of the use if it is above 1. Where that could be the id of another
    child, as for a call in a task or in a later run, a digest of the command's id and the run follows.
    """
    assert command.child is not None
    if command.child.id is not None:
        return command.child.id
    plain = _PLAIN.fullmatch(command.id)
    if run > 1:
        name = f"{command.name}.{_digest(f'{run} {command.id}', 12)}"
    elif plain is not None and not _AMBIGUOUS.search(plain[1]):
        name = plain[1] + (f"-{plain[2]}" if plain[2] else "")
    else:
        name = f"{command.name}.{_digest(command.id, 12)}"
    return _fitting(f"{parent}.{name}", parent)


def later_child_id(id: str, generation: int) -> str:
    """The id of a child that a later generation starts in the place of this one."""
    return _fitting(f"{id}_g{generation}", id)


def forked_child_id(fork: str, origin: str, child: str) -> str:
    """The id of the copy of a child, for the fork of its parent."""
    name = child[len(origin) + 1 :] if child.startswith(f"{origin}.") else f"copy.{_digest(child, 12)}"
    return _fitting(f"{fork}.{name}", fork)


def bulk_fork_id(origin: str, created_at: float, job: str) -> str:
    """The id of the fork that a bulk job makes of an execution: the same one whenever the job tries it again."""
    return _fitting(f"{origin}.fork-{_digest(f'{job} {created_at!r} {origin}', 16)}", origin)


def _fitting(id: str, begins: str) -> str:
    return id if len(id) <= LONGEST_ID and ID.fullmatch(id) else f"{begins[:PREFIX]}.{_digest(id, 24)}"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def link_of(parent: Execution, command: Command) -> Link:
    """The link of a child that the parent's generation asks for."""
    assert command.child is not None
    above = parent.link
    return Link(
        parent.execution_id,
        command.id,
        parent.generation,
        root=above.root if above is not None and not above.left else parent.execution_id,
        depth=1 + (above.depth if above is not None else 0),
        on_cancel=command.child.on_cancel,
        run=parent.run,
        asked=_digest(command.input or "null", 16),
    )


def standing(held: Execution, link: Link, command: Command) -> Standing:
    """How the execution that holds an id stands to a command that asks for it under this link.

    A child that was cancelled in an earlier generation is not taken up again: it cannot be resumed.
    """
    assert command.child is not None
    before = held.link
    if before is None or (before.parent, before.command, before.run) != (link.parent, link.command, link.run):
        return "foreign"
    if before.generation > link.generation:
        return "newer"
    if held.workflow != command.child.workflow.name or not _same_input(held, before, link, command):
        return "other"
    if held.status == "CANCELLED" and (before.generation < link.generation or before.left):
        return "other"
    return "ours"


def _same_input(held: Execution, before: Link, link: Link, command: Command) -> bool:
    """Whether a child was started with the input of a command; of a child in a later run only its digest is left."""
    assert command.child is not None
    if before.asked == link.asked or held.run > 1:
        return before.asked == link.asked
    return command.child.workflow.input.same(held.input, command.input or "null")
