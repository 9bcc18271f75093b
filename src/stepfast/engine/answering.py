"""Answers that come by a link: checked without reading anything, then given once (rule *answer links*)."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Literal

from stepfast import link_tokens
from stepfast.engine.link_keys import LinkKeys
from stepfast.engine.link_store import Beat
from stepfast.engine.ports import Clock, Store
from stepfast.engine.signalling import Sent, Signalling, signal_id_of
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest, Refused, WrongStatus
from stepfast.language.callbacks import FAILURE
from stepfast.link_tokens import LinkClaims
from stepfast.replay.commands import Command

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
"""A heartbeat that comes sooner after another one is answered and not stored."""
LONGEST_PROGRESS = 4_000
LONGEST_MESSAGE = 4_000
LATE_SECONDS = 86400.0
Reason = Literal["invalid", "expired", "answered", "over"]


class LinkRefused(Refused):
    """A link that takes no answer. reason: `invalid`, `expired`, `answered` with something else, or `over`.

    Invalid and expired links are refused before anything is read. A link is over once its execution does not wait for
    it any more.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link that holds, as its page shows it. wait: what takes the answer; None if it was answered.

    answer: the answer that was given, as JSON text.
    """

    claims: LinkClaims
    wait: Command | None
    answer: str | None = None


class Answering:
    """What links do: show, answer, report a failure, send a heartbeat. All of it is safe to repeat."""

    def __init__(self, store: Store, clock: Clock, signalling: Signalling) -> None:
        self._store, self._clock, self._signalling = store, clock, signalling
        self.keys = LinkKeys(store.links, clock)
        self._beats: dict[tuple[str, str], float] = {}

    async def check(self, token: str) -> LinkClaims:
        """What a token says, if it was signed here and has not expired; LinkRefused. It reads no execution."""
        claims = link_tokens.claims_of(token)
        key = await self.keys.find(claims.key_id) if claims is not None else None
        if claims is None or key is None or not link_tokens.is_signed(token, key.bytes):
            raise LinkRefused("invalid", "this link is not valid: it was changed on its way, or withdrawn")
        if self._clock.now() >= claims.expires_at:
            raise LinkRefused("expired", "this link has expired")
        return claims

    async def look(self, claims: LinkClaims) -> LinkState:
        """How a link stands that `check` has admitted; LinkRefused if it is over."""
        held = await self._store.signal(claims.execution_id, signal_id_of(claims.link))
        if held is not None:
            return LinkState(claims, None, held.payload)
        return LinkState(claims, await self._wait_of(claims))

    async def answer(self, claims: LinkClaims, answer: Any = None) -> Sent:
        """Gives an answer, once: an equal answer later is the same one. The answer of a narrowed link is its own.

        Raises LinkRefused, InvalidRequest for a value of another type or for another answer than a narrowed link has,
        and TooManySignals.
        """
        if claims.answer is not None:
            own = json.loads(claims.answer)
            if answer is not None and answer != own:
                raise InvalidRequest("this link gives one answer, and not this one", (("", "not the answer of it"),))
            answer = own
        if isinstance(answer, dict) and "stepfast.failure" in answer:
            raise InvalidRequest("a failure is reported as `failure`, not as an answer", (("", "no answer"),))
        return await self._send(claims, answer)

    async def fail(self, claims: LinkClaims, error_type: str, message: str) -> Sent:
        """Reports that external work has failed, in place of an answer. Raises as `answer`."""
        if claims.answer is not None:
            raise InvalidRequest("this link gives one answer, and reports no failure", (("failure", "not allowed"),))
        report = {"type": error_type[:200], "message": message[:LONGEST_MESSAGE]}
        return await self._send(claims, {"stepfast.failure": report})

    async def beat(self, claims: LinkClaims, progress: Any = None) -> None:
        """Notes a heartbeat of external work; LinkRefused once the execution has ended, or was answered."""
        text = None if progress is None else json.dumps(progress)
        if text is not None and len(text) > LONGEST_PROGRESS:
            raise InvalidRequest(
                f"progress has at most {LONGEST_PROGRESS:,} characters of JSON", (("heartbeat", "too long"),)
            )
        place, now = (claims.execution_id, claims.link), self._clock.now()
        if 0 <= now - self._beats.get(place, 0.0) < BEAT_SECONDS:
            return
        executions = await self._store.read_many([claims.execution_id])
        if not any(execution.status in ("RUNNING", "PAUSED") for execution in executions):
            raise _over(f"execution {claims.execution_id!r} has ended")
        if await self._store.signal(claims.execution_id, signal_id_of(claims.link)) is not None:
            raise LinkRefused("answered", "this link was answered")
        await self._store.links.beat(
            claims.execution_id, claims.link, Beat(now, text), claims.expires_at + LATE_SECONDS
        )
        self._beats[place] = now
        while len(self._beats) > 1_000:
            del self._beats[next(iter(self._beats))]

    async def _send(self, claims: LinkClaims, payload: Any) -> Sent:
        try:
            sent = await self._signalling.signal(
                claims.execution_id, claims.link, payload, signal_id_of(claims.link), only_waited=True
            )
        except ExecutionConflict as error:
            raise LinkRefused("answered", "this link was answered before, with another answer") from error
        except (ExecutionNotFound, WrongStatus) as error:
            raise _over(str(error)) from error
        if sent.created:
            log.info("execution %s: %s was answered by its link", claims.execution_id, claims.link)
        return sent

    async def _wait_of(self, claims: LinkClaims) -> Command:
        try:
            waits = await self._signalling.waits(claims.execution_id)
        except (ExecutionNotFound, WrongStatus) as error:
            raise _over(str(error)) from error
        for wait in waits:
            if wait.name == claims.link:
                return wait
        raise _over(f"execution {claims.execution_id!r} does not wait for {claims.link!r}")


def _over(reason: str) -> LinkRefused:
    return LinkRefused("over", f"nobody waits for an answer by this link any more: {reason}")


assert json.dumps({"stepfast.failure": {}}).startswith(FAILURE)
