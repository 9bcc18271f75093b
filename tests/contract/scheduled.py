"""The two homes with schedules, in simulated time: the embedded file, and the functions on moto. Both begin in 2030."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import stepfast
from stepfast import workflow
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.deployment.project import Project
from stepfast.deployment.schedule_times import declared
from stepfast.deployment.schedules import ScheduledStart
from stepfast.engine.operations import Operations
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.local.schedules import RATE_PHASE, EmbeddedSchedules
from stepfast.testing import MotoCloud
from tests.contract.clock import FixedClock
from tests.http.serving import event

BEGINS = datetime(2030, 1, 1, tzinfo=UTC)
HOURLY = "cron(0 * * * ? *)"
BEFORE_ANYTHING = 90.0
"""Seconds: a process that begins looks for what was due in the last minute."""


@workflow("hold")
async def hold(text: str) -> str:
    """Runs until it is cancelled."""
    return await stepfast.signal("go", str)


def start(name: str, expression: str = HOURLY, **fields: Any) -> ScheduledStart:
    return ScheduledStart(name, "hold", expression, "x", **fields)


class Home(Protocol):
    """A home with schedules. `now` is in seconds since the epoch."""

    @property
    def now(self) -> float: ...
    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]: ...
    def advance(self, seconds: float) -> None: ...
    def close(self) -> None: ...


class EmbeddedHome:
    """The file with its API and its schedules. `restart` is another process on the same file."""

    def __init__(self, path: Path, starts: Iterable[ScheduledStart], begins: datetime = BEGINS) -> None:
        self.path, self.starts = path, list(starts)
        self.clock = FixedClock()
        self.clock.time = begins.timestamp() + BEFORE_ANYTHING
        self._open()

    def _open(self) -> None:
        self.store = SqliteBackend(SqliteFile(self.path, "process"), self.clock)
        registry = Registry([hold])
        self.operations = Operations(
            self.store,
            self.clock,
            registry,
            None,  # type: ignore[arg-type]
            schedules=lambda: [declared(one, RATE_PHASE) for one in self.starts],
        )
        self.api = build(self.operations, registry, asyncio.run)
        self.made = EmbeddedSchedules(self.starts, self.operations, self.clock)

    def restart(self) -> None:
        self.store.close()
        self._open()

    @property
    def now(self) -> float:
        return self.clock.time

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        answer = self.api(event(method, path, body, query=query), None)
        return answer["statusCode"], json.loads(answer["body"])

    def advance(self, seconds: float) -> None:
        end = self.clock.time + seconds
        while self.clock.time < end:
            wait = asyncio.run(self.made.start_due())
            # The loop looks once a second at least; hours of nothing are passed faster here.
            due = min((at + target.offset(at) for target, _, at in self.made._next if at is not None), default=end)
            self.clock.time = min(end, max(self.clock.time + wait, min(due, self.clock.time + 60)))
        asyncio.run(self.made.start_due())

    def close(self) -> None:
        self.store.close()


class CloudHome:
    """The functions on moto, with what Scheduler sends to them."""

    def __init__(self, path: Path, starts: Iterable[ScheduledStart], begins: datetime = BEGINS) -> None:
        project = Project(schedules={start.name: start for start in starts})
        self.cloud = MotoCloud(hold, project=project, start=begins)
        self.cloud.__enter__()
        self.advance(BEFORE_ANYTHING)

    @property
    def now(self) -> float:
        return self.cloud.now.timestamp()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        answer = self.cloud.request(method, path, body, query=dict(parse_qsl(query)))
        return answer.status, json.loads(answer.body)

    def restart(self) -> None:
        """All sandboxes end."""
        for function in self.cloud._stage._player.functions.values():
            function.forget()

    def advance(self, seconds: float) -> None:
        self.cloud.advance(timedelta(seconds=seconds))

    def close(self) -> None:
        self.cloud.__exit__(None, None, None)


class Scheduled:
    """A home as its operator sees it."""

    def __init__(self, home: Any) -> None:
        self.home = home

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answered, held = self.home.answer(method, path, body)
        assert answered == status, held
        return held

    def schedule(self, name: str = "each") -> Any:
        return self.ask("GET", f"/v1/schedules/{name}")

    def act(self, action: str, body: Any = None, name: str = "each", status: int = 200) -> Any:
        return self.ask("POST", f"/v1/schedules/{name}/{action}", body, status)

    def advance(self, **time: float) -> None:
        self.home.advance(timedelta(**time).total_seconds())

    def statuses(self) -> dict[str, str]:
        page = self.ask("GET", "/v1/executions?limit=200")
        return {one["execution_id"]: one["status"] for one in reversed(page["executions"])}

    def cancel(self, id: str) -> None:
        self.ask("POST", f"/v1/executions/{id}/cancel")


def at(hour: int, minute: int = 0, name: str = "each") -> str:
    """The id of the execution of a moment on the first day."""
    return f"{name}-2030-01-01T{hour:02}{minute:02}00Z"
