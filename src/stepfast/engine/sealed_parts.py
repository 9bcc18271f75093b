"""The parts of a store, and the queue, that have texts of executions: links, starts and hints (rule *encryption*)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from stepfast.engine.data_keys import Keyring
from stepfast.engine.link_store import Beat, LinkStore
from stepfast.engine.messages import Message
from stepfast.engine.ports import Queue
from stepfast.engine.sealed_reads import KeyFinder
from stepfast.engine.sealing import hint_place
from stepfast.engine.start_items import Hold, TurnedAway
from stepfast.engine.start_store import StartStore
from stepfast.errors import Misconfigured, Unavailable
from stepfast.values.encryption import DataKey, key_of


class SealedLinks:
    """The LinkStore of a SealedStore: the progress of external work is encrypted."""

    def __init__(self, links: LinkStore, finder: KeyFinder) -> None:
        self._links, self._finder = links, finder
        self.keys, self.write_keys = links.keys, links.write_keys

    async def beat(self, execution_id: str, link: str, beat: Beat, keep_until: float) -> None:
        key = None if beat.progress is None else await self._finder.look_up(execution_id)
        if key is not None and beat.progress is not None:
            beat = replace(beat, progress=key.seal(beat.progress, "beat", link))
        await self._links.beat(execution_id, link, beat, keep_until)

    async def last_beat(self, execution_id: str, link: str) -> Beat | None:
        beat = await self._links.last_beat(execution_id, link)
        id = None if beat is None else key_of(execution_id, beat.progress)
        if beat is None or beat.progress is None or id is None:
            return beat
        return replace(beat, progress=self._finder.ring.find(id).open(beat.progress, "beat", link))


class SealedStarts:
    """The StartStore of a SealedStore.

    The fingerprint of a start that was turned away is encrypted under the key of the execution that it became. Once
    that one is deleted, the fingerprint equals none.
    """

    def __init__(self, starts: StartStore, finder: KeyFinder) -> None:
        self._starts, self._finder = starts, finder
        self.hold, self.pass_on, self.first, self.leave = starts.hold, starts.pass_on, starts.first, starts.leave

    async def turned_away(self, execution_id: str) -> TurnedAway | None:
        turned = await self._starts.turned_away(execution_id)
        id = None if turned is None else key_of(turned.became, turned.sent)
        if turned is None or id is None:
            return turned
        try:
            return replace(turned, sent=self._finder.ring.find(id).open(turned.sent, "turned away", execution_id))
        except Misconfigured:
            return replace(turned, sent="")

    async def turn_away(self, turned: TurnedAway, hold: Hold) -> bool:
        return await self._starts.turn_away(await self.sealed(turned), hold)

    async def sealed(self, turned: TurnedAway) -> TurnedAway:
        """As it is stored."""
        key = await self._finder.look_up(turned.became)
        return (
            turned if key is None else replace(turned, sent=key.seal(turned.sent, "turned away", turned.execution_id))
        )


class SealedQueue:
    """A queue whose messages leave the process: the inputs that they carry are encrypted.

    key_of: the data key of the execution that a message is of.
    """

    def __init__(self, queue: Queue, key_of: Callable[[Message], Awaitable[DataKey | None]]) -> None:
        self._queue, self._key_of = queue, key_of

    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        await self._queue.send([(await self._sealed(message), due) for message, due in messages])

    async def _sealed(self, message: Message) -> Message:
        hint = message.hint
        if hint is None:
            return message
        key = await self._key_of(message)
        if key is None:
            return message
        sealed = key.seal(hint.input, *hint_place(message.run, message.command_id))
        return replace(message, hint=replace(hint, input=sealed, command=None))


def opened_message(message: Message, keyring: Keyring) -> Message:
    """A message of a SealedQueue. Where the key cannot be had, it has no hint: its worker finds all out by a replay."""
    hint = message.hint
    id = None if hint is None else key_of(message.execution_id, hint.input)
    if hint is None or id is None:
        return message
    try:
        input = keyring.find(id).open(hint.input, *hint_place(message.run, message.command_id))
    except (Misconfigured, Unavailable):
        return replace(message, hint=None)
    return replace(message, hint=replace(hint, input=input))
