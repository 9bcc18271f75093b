"""Answers that come by a link: checked without reading anything, then given once (rule *answer links*)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from stepfast import link_tokens
from stepfast.engine.link_keys import LinkKeys
from stepfast.engine.link_store import Beat
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import ReadOperations
from stepfast.engine.signalling import Sent, Signalling, name_of_link, signal_id_of
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest, Refused, WrongStatus
from stepfast.language.callback_steps import open_link
from stepfast.language.callbacks import FAILURE
from stepfast.link_tokens import LinkClaims
from stepfast.model import UNDER_WAY, Record
from stepfast.records import dataclass
from stepfast.replay.commands import Command
from stepfast.replay.signals import waits_of
from stepfast.stored_text import text_of

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
"""A heartbeat that comes sooner after another one is answered and not stored."""
LONGEST_PROGRESS = 4_000
LONGEST_MESSAGE = 4_000
BEAT_KEPT_SECONDS = 86400.0
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


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link that waits for an answer. opened_at, expires_at: None where it has no record."""

    name: str
    link: str
    command_id: str
    opened_at: float | None
    expires_at: float | None
    beat: Beat | None


class Answering:
    """What links do: show, answer, report a failure, send a heartbeat. All of it is safe to repeat."""

    def __init__(self, store: Store, clock: Clock, signalling: Signalling, reading: ReadOperations) -> None:
        self._store, self._clock, self._signalling, self._reading = store, clock, signalling, reading
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

    async def open_links(self, execution_id: str) -> list[OpenLink]:
        """The links of an execution that wait for an answer, in the order of the waits; ExecutionNotFound."""
        snapshot = await self._reading.load(execution_id, signals=False)
        if snapshot.execution.status not in UNDER_WAY:
            return []
        waits = [wait for wait in waits_of(self._reading.replay(snapshot)) if name_of_link(wait.name) is not None]
        opened = {link["link"]: (record, link) for record, link in _opened(snapshot.records.values())} if waits else {}
        links = []
        for wait in waits:
            record, link = opened.get(wait.name, (None, {}))
            beat = await self._store.links.last_beat(execution_id, wait.name)
            opened_at = record.ended_at if record is not None else None
            name = name_of_link(wait.name) or wait.name
            links.append(OpenLink(name, wait.name, wait.id, opened_at, link.get("expires_at"), beat))
        return links

    async def report(self, claims: LinkClaims, body: Mapping[str, Any]) -> Sent | None:
        """What a program sends: an object with `answer`, `failure` or `heartbeat`. None for a heartbeat.

        It may be empty for a narrowed link, which has its answer. Raises as `answer`, naming the field of the body.
        """
        if len(body) > 1 or not set(body) <= {"answer", "failure", "heartbeat"}:
            raise InvalidRequest("send one of `answer`, `failure` and `heartbeat`", (("", "one of three is needed"),))
        if "heartbeat" in body:
            await self.beat(claims, body["heartbeat"])
            return None
        if "failure" in body:
            failure = body["failure"]
            if not isinstance(failure, dict) or not isinstance(failure.get("message"), str):
                raise InvalidRequest("a failure has a `message`", (("failure.message", "must be a text"),))
            return await self.fail(claims, str(failure.get("type") or "Failed"), failure["message"])
        if not body and claims.answer is None:
            raise InvalidRequest("send the answer as `answer`", (("answer", "must be there"),))
        return await self.answer(claims, body.get("answer"))

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
            claims.execution_id, claims.link, Beat(now, text), claims.expires_at + BEAT_KEPT_SECONDS
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


def _opened(records: Iterable[Record]) -> Iterator[tuple[Record, dict[str, Any]]]:
    for record in records:
        if record.name == open_link.name and record.status == "SUCCEEDED":
            yield record, json.loads(text_of(record.output) or "{}")


def _over(reason: str) -> LinkRefused:
    return LinkRefused("over", f"nobody waits for an answer by this link any more: {reason}")


assert json.dumps({"stepfast.failure": {}}).startswith(FAILURE)
