"""Progress that workflow code notes is kept with its execution, for people to look at (rule *progress*)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stepfast.engine.ports import End
from stepfast.model import Execution

ONE = Execution("one", "w", "1", 1000.0, sent="0a 0b")


def test_progress_is_kept_with_the_execution_and_wakes_nobody(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    backend.woken.clear()
    assert backend.run(backend.store.note(ONE, '[{"name": "m"}]'))
    noted = replace(ONE, progress='[{"name": "m"}]')
    assert backend.run(backend.store.read("one")) == noted
    assert backend.run(backend.store.read_many(["one"])) == [replace(noted, input="")]
    assert backend.woken == []
    assert backend.run(backend.store.finish(End(replace(noted, status="SUCCEEDED", result="2", ended_at=1001.0))))
    assert backend.run(backend.store.read("one")).progress == noted.progress


def test_progress_of_an_execution_that_has_ended_or_gone_on_is_refused(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    assert not backend.run(backend.store.note(replace(ONE, generation=1), "[]"))
    assert not backend.run(backend.store.note(replace(ONE, execution_id="none"), "[]"))
    backend.run(backend.store.finish(End(replace(ONE, status="SUCCEEDED", result="2", ended_at=1001.0))))
    assert not backend.run(backend.store.note(ONE, "[]"))
    assert backend.run(backend.store.read("one")).progress is None
