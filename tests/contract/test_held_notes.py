"""The notes of what is held with paused workflows, in both stores (rule *held start*)."""

from __future__ import annotations

from typing import Any

from stepfast.engine.workflow_pauses import HeldStart


def noted(backend: Any, workflow: str, limit: int) -> list[HeldStart]:
    """All notes of a workflow, read by pages."""
    notes, cursor, pages = list[HeldStart](), None, 0
    while pages == 0 or cursor is not None:
        page, cursor = backend.run(backend.store.workflow_pauses.held(workflow, limit, cursor))
        assert len(page) <= limit
        notes += page
        pages += 1
        assert pages < 50
    return notes


def test_each_note_is_on_one_page(backend: Any) -> None:
    pauses = backend.store.workflow_pauses
    notes = [HeldStart("import", f"order-{number}", 1.5 + number) for number in range(12)]
    for note in (*notes, HeldStart("import#1", "other", 1.0), HeldStart("export", "order-1", 2.0)):
        backend.run(pauses.note_held(note))
    for limit in (1, 5, 12, 100):
        assert sorted(noted(backend, "import", limit), key=lambda note: note.at) == notes
    assert noted(backend, "nothing", 5) == []
    assert backend.run(pauses.all()) == {}, "a note is no pause"


def test_a_note_is_forgotten_unless_it_was_written_anew(backend: Any) -> None:
    pauses = backend.store.workflow_pauses
    first, again = HeldStart("import", "one", 1.0), HeldStart("import", "one", 2.0)
    for note in (first, first, again):
        backend.run(pauses.note_held(note))
    backend.run(pauses.forget_held(first))
    assert noted(backend, "import", 5) == [again]
    for _ in range(2):
        backend.run(pauses.forget_held(again))
    assert noted(backend, "import", 5) == []
