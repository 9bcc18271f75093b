"""`callback()`: an address by which a person or a program outside answers a wait of workflow code."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar, overload

from typing_extensions import TypeForm

from stepfast import link_tokens
from stepfast.errors import DefinitionError
from stepfast.language import callback_steps
from stepfast.language.callback_errors import CallbackFailed, CallbackTimeout
from stepfast.language.options import Seconds, name_of, seconds_of
from stepfast.language.workflow_loop import commands_for
from stepfast.records import dataclass
from stepfast.values.codec import UNTYPED, Codec

__all__ = ["CallbackLink", "callback"]

T = TypeVar("T")
LONGEST_CALLBACK_NAME = 48
"""Characters of a name. A wait is named by it and by the number of its link, and the name of a wait has 64."""
LONGEST_TIMEOUT_SECONDS = 366 * 86400.0
FAILURE = '{"stepfast.failure":'
"""What a payload begins with that reports a failure in place of an answer."""
_CLOSE = 1e-3
"""Seconds. A timer is due at a float that was added up, which may miss the time that was meant by less than that."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A failure that external work has reported."""

    type: str
    message: str


class AnswerCodec(Codec):
    """The codec of answers by a link: of a type, or the report of a failure."""

    def decode(self, text: str) -> Any:
        if text.startswith(FAILURE):
            failure = json.loads(text)["stepfast.failure"]
            return Reported(str(failure["type"]), str(failure["message"]))
        return super().decode(text)


class CallbackLink(Generic[T]):
    """An address that answers one wait of one execution, once, until it expires.

    url: the address. Everybody who has it may give any answer of the type, so treat it as a password.
    expires_at: when it expires, in UTC.
    """

    def __init__(
        self, name: str, opened: dict[str, Any], command_id: str, wait: asyncio.Future[Any], codec: Codec, beat: float
    ) -> None:
        self.url: str = opened["url"]
        self.expires_at = datetime.fromtimestamp(opened["expires_at"], UTC)
        self._name, self._link, self._command_id = name, opened["link"], command_id
        self._deadline: float = opened["expires_at"]
        self._wait, self._codec, self._beat = wait, codec, beat

    def url_for(self, answer: T) -> str:
        """An address that gives this answer and no other, such as for a button "Approve" in a mail.

        answer: a value of the callback's type.

        The page asks before it gives the answer. The first answer uses up the link, by whichever address it came.
        Raises NotStorable for a value of another type, and DefinitionError for a long value.
        """
        text = json.dumps(json.loads(self._codec.text(answer)), separators=(",", ":"), ensure_ascii=False)
        if len(text) > link_tokens.LONGEST_ANSWER // 2:
            limit = link_tokens.LONGEST_ANSWER // 2
            raise DefinitionError(
                f"callback {self._name!r}: an answer in a link has at most {limit} characters of JSON, not {len(text)}"
            )
        return link_tokens.narrowed(self.url, text)

    async def answer(self) -> T:
        """Waits for the answer and returns it. A second call returns the same answer.

        Raises CallbackTimeout, a TimeoutError, when the link has expired or when no heartbeat has come for too long,
        and CallbackFailed when external work has reported a failure.
        """
        if not self._wait.done():
            await self._until_done()
        answer = self._wait.result()
        if isinstance(answer, Reported):
            raise CallbackFailed(self._name, self._command_id, answer.type, answer.message)
        typed: T = answer
        return typed

    async def _until_done(self) -> None:
        commands = commands_for("answer()")
        heard = commands.now()
        while True:
            until = min(self._deadline, heard + self._beat)
            # asyncio.wait() leaves the wait as it is when the time is over; a timeout scope would cancel it.
            await asyncio.wait({self._wait}, timeout=max(until - commands.now(), _CLOSE / 1000))
            if self._wait.done():
                return
            if commands.now() >= self._deadline - _CLOSE:
                raise CallbackTimeout(
                    f"callback {self._name!r}: no answer came before the link expired", self._command_id
                )
            last = await callback_steps.last_heartbeat(self._link)
            if self._wait.done():
                return
            if last is None or last <= heard:
                raise CallbackTimeout(f"callback {self._name!r}: no heartbeat for {self._beat:g} s", self._command_id)
            heard = last


class _Callback(AbstractAsyncContextManager[CallbackLink[T]]):
    """The block in which a link is open."""

    def __init__(self, name: str, codec: Codec, timeout: float, heartbeat: float) -> None:
        self._name, self._codec, self._timeout, self._heartbeat = name, codec, timeout, heartbeat
        self._wait: asyncio.Future[Any] | None = None

    async def __aenter__(self) -> CallbackLink[T]:
        commands = commands_for("callback()")
        made: Any = commands.step(callback_steps.open_link, {"name": self._name, "timeout": self._timeout})
        opened = await made
        # The wait begins before anybody can know the address, so an answer is checked against it from the first on.
        waits: Any = commands_for("callback()").signal(self._name, self._codec, opened["link"])
        self._wait = waits
        return CallbackLink(self._name, opened, made.command_id, waits, self._codec, self._heartbeat)

    async def __aexit__(self, *error: object) -> None:
        if self._wait is not None and not self._wait.done():
            self._wait.cancel()


@overload
def callback(
    name: str, type: type[T], *, timeout: Seconds, heartbeat: Seconds | None = None
) -> AbstractAsyncContextManager[CallbackLink[T]]: ...
@overload
def callback(
    name: str, type: TypeForm[T], *, timeout: Seconds, heartbeat: Seconds | None = None
) -> AbstractAsyncContextManager[CallbackLink[T]]: ...
@overload
def callback(
    name: str, *, timeout: Seconds, heartbeat: Seconds | None = None
) -> AbstractAsyncContextManager[CallbackLink[Any]]: ...
def callback(
    name: str, type: Any = UNTYPED, *, timeout: Seconds, heartbeat: Seconds | None = None
) -> AbstractAsyncContextManager[CallbackLink[Any]]:
    """A link by which somebody outside answers, for `async with callback(…) as link:`.

    In the block, pass `link.url` or `link.url_for(answer)` to a step that sends it to somebody, and then
    `await link.answer()`. When the block is left, the link is refused.

    name: 1 to 48 of A-Z a-z 0-9 . _ -.
    type: the type of the answer. The page behind the link asks for it: choices for a Literal, an enum and a bool, and
    one field for each of a model. Without it the answer is plain JSON values.
    timeout: how long the link is valid, in seconds or as a timedelta, 366 days at most. It is rounded up to seconds.
    heartbeat: the longest time between two heartbeats that external work sends by the link, from the call of `answer()`
    on. None asks for none.

    Raises DefinitionError for a wrong name or time, and ForbiddenInWorkflow outside workflow code.
    """
    commands_for("callback()")
    if len(name_of(name, "callback")) > LONGEST_CALLBACK_NAME:
        raise DefinitionError(f"a callback name has at most {LONGEST_CALLBACK_NAME} characters, not {name!r}")
    seconds = seconds_of(timeout, f"callback {name!r}: timeout")
    if seconds > LONGEST_TIMEOUT_SECONDS:
        raise DefinitionError(f"callback {name!r}: timeout is at most 366 days, not {timeout!r}")
    beat = float("inf") if heartbeat is None else seconds_of(heartbeat, f"callback {name!r}: heartbeat", least=1.0)
    return _Callback(name, _codec_of(name, type), seconds, beat)


callback.steps = callback_steps.LINK_STEPS  # type: ignore[attr-defined]  # Discovery follows attributes of functions.


def _codec_of(name: str, type: Any) -> Codec:
    try:
        return _cached_codec(name, type)
    except TypeError:  # the type is not hashable
        return AnswerCodec(type, f"callback {name!r}: answer")


@lru_cache(maxsize=512, typed=True)
def _cached_codec(name: str, type: Any) -> Codec:
    return AnswerCodec(type, f"callback {name!r}: answer")
