"""The progress that workflow code has noted, as it is kept with the execution (rule *progress*)."""

from __future__ import annotations

import json

from stepfast.engine.ports import Store
from stepfast.model import Execution
from stepfast.replay.replay import Replay


async def note(store: Store, execution: Execution, replay: Replay) -> None:
    """Writes what the replay has noted, if that is news.

    It is for people to look at: nothing is decided by it, so a write that is refused or lost does no harm.
    """
    if not replay.progress or replay.stale:
        return
    text = json.dumps(list(replay.progress.values()))
    if text not in (replay.noted, execution.progress):
        await store.note(execution, text)
    replay.noted = text
