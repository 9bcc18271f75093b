"""Mutants of forks, for test_forks.py."""

from __future__ import annotations

from typing import Any

from stepfast.backends.sqlite import forks
from stepfast.engine import forking
from tests.simulation.breaking import Patch, edited


def a_fork_moves_the_records(patch: Patch) -> None:
    right = forks._fill

    def moved(tx: Any, copy: Any) -> None:
        right(tx, copy)
        for record in copy.records:
            where = (copy.execution.forked.execution_id, record.id)
            tx.execute("DELETE FROM commands WHERE execution_id = ? AND id = ?", where)

    patch.setattr(forks, "_fill", moved)


def copies_belong_to_the_origin(patch: Patch) -> None:
    edited(patch, forking.Forking, "_taken_over", ("link, parent=fork.execution_id,", "link,"))


WRONG = {
    "a-fork-leaves-its-origin-alone": [a_fork_moves_the_records],
    "a-deletion-takes-its-own-alone": [copies_belong_to_the_origin],
}
