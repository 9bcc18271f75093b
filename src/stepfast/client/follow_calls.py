"""What a handle on an execution asks to follow it."""

from __future__ import annotations

from collections.abc import Iterator

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.handle import Handle, R

FOLLOW_WAIT_SECONDS = 20
"""The longest time that a server holds a request for the next change."""


class FollowCalls(Handle[R]):
    """The part of an execution's handle that follows what happens to it."""

    def follow(self, after: str | None = None) -> Iterator[Object]:
        """Yields the events of the execution until it has ended: first the state of now, then each change.

        after: the cursor of an event seen before, as `changes` gives it; only what has changed since then comes.

        Each event has a `type`: "execution" with its `status`, "command" with `id`, `status`, `attempt` and `progress`
        of a step or another command, "status" with the `value` of `set_status()`, "labels", or "progress" with the
        `maps`. Every event comes at least once; changes that follow each other closely may come as the last of them.
        The last event is of the end of the execution. `history` has the past.

        Raises ExecutionNotFound.
        """
        while True:
            page = self.changes(after, FOLLOW_WAIT_SECONDS)
            for event in page["events"]:  # noqa: UP028, the asynchronous twin has no `yield from`
                yield event
            after = page["after"]
            if page["ended"]:
                return

    def changes(self, after: str | None = None, wait: int = 0) -> Object:
        """The `events` since a cursor, the cursor `after` them, and `ended`: whether the execution has ended.

        after: the cursor of an earlier answer. None asks for the state of now as events.
        wait: seconds, at most 20, for which the server waits for a change if there is none.

        Raises ExecutionNotFound, and InvalidRequest for a cursor that no answer has given.
        """
        return self._home().get(f"{self._path}/events", shapes.ChangePage, after=after, wait=wait)
