"""Clients that keep an account of what they were promised, and go on whatever becomes of the server."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

KINDS = ("sequence", "sequence", "fan", "timers", "approval", "approval", "outage", "payment", "endless")
HANG = 45.0
"""Seconds after which an answer counts as never coming; a paused server is silent for a few."""


@dataclass
class Promised:
    """One execution as its client knows it: everything in here was confirmed by an answer."""

    id: str
    kind: str
    n: int
    started: bool = False
    signals: set[int] = field(default_factory=set)
    generation: int = 0
    cancelled: bool = False
    result: Any = None

    @property
    def count(self) -> int:
        return self.started + len(self.signals) + self.generation + self.cancelled + (self.result is not None)


class Account:
    """All executions of a run, and what went wrong with promises on the way; shared by the clients."""

    def __init__(self) -> None:
        self.executions: dict[str, Promised] = {}
        self.violations: list[str] = []
        self.answers: Counter[str] = Counter()
        self.lock = threading.Lock()

    def violate(self, what: str) -> None:
        with self.lock:
            self.violations.append(what)

    def new(self, draw: random.Random) -> Promised:
        with self.lock:
            kind = draw.choice(KINDS)
            n = draw.randrange(1, 4) if kind == "approval" else draw.randrange(1, 12)
            made = Promised(f"{kind}-{len(self.executions)}", kind, n)
            self.executions[made.id] = made
        return made

    def pick(self, draw: random.Random, fits: Callable[[Promised], bool]) -> Promised | None:
        with self.lock:
            fitting = [one for one in list(self.executions.values())[-300:] if fits(one)]
        return draw.choice(fitting) if fitting else None


class Client(threading.Thread):
    """Starts, signals, resumes, cancels and looks, at random, until told to stop.

    A request without an answer promises nothing; the same request is made again later.
    """

    def __init__(self, account: Account, url: Callable[[], str], seed: str, pause: float = 0.03) -> None:
        super().__init__(name=f"client-{seed}", daemon=True)
        self._account, self._url, self._pause = account, url, pause
        self._draw = random.Random(seed)
        self.stopping = threading.Event()
        self._http = httpx.Client(timeout=HANG)

    def run(self) -> None:
        actions = (self.start_one, self.signal_one, self.resume_one, self.cancel_one, self.look_at_one)
        try:
            while not self.stopping.wait(self._draw.uniform(0, 2 * self._pause)):
                self._draw.choice(actions)()
        except Exception as error:
            self._account.violate(f"a client died: {error!r}")
        finally:
            self._http.close()

    def ask(self, method: str, path: str, body: Any = None, *, expected: tuple[int, ...]) -> httpx.Response | None:
        """The answer; None when there was none, or one that promises nothing."""
        try:
            answer = self._http.request(method, self._url() + path, json=body)
        except httpx.ReadTimeout:
            self._account.violate(f"{method} {path} was not answered within {HANG} s")
            return None
        except httpx.TransportError as error:
            self._account.answers[type(error).__name__] += 1
            self.stopping.wait(0.05)
            return None
        self._account.answers[str(answer.status_code)] += 1
        if answer.status_code == 503:
            self.stopping.wait(0.05)
            return None
        if answer.status_code not in expected:
            self._account.violate(f"{method} {path} got {answer.status_code}: {answer.text[:300]}")
            return None
        return answer

    def start_one(self) -> None:
        one = self._account.pick(self._draw, lambda one: not one.started) or self._account.new(self._draw)
        path, body = f"/v1/workflows/{one.kind}/executions", {"input": one.n, "execution_id": one.id}
        if self.ask("POST", path, body, expected=(200, 201)):
            one.started = True

    def signal_one(self) -> None:
        one = self._account.pick(
            self._draw, lambda one: one.kind == "approval" and one.started and len(one.signals) < one.n
        )
        if one is None:
            return
        number = self._draw.choice([n for n in range(1, one.n + 1) if n not in one.signals])
        body = {"payload": number, "signal_id": f"signal-{number}"}
        if self.ask("POST", f"/v1/executions/{one.id}/signals/go", body, expected=(200, 202)):
            one.signals.add(number)

    def resume_one(self) -> None:
        one = self._account.pick(self._draw, lambda one: one.started and one.kind in ("outage", "payment"))
        if one is None:
            return
        answer = self.ask("POST", f"/v1/executions/{one.id}/resume", expected=(200, 409))
        if answer is not None and answer.status_code == 200:
            one.generation = max(one.generation, answer.json()["generation"])

    def cancel_one(self) -> None:
        one = self._account.pick(self._draw, lambda one: one.started and one.kind == "endless" and not one.cancelled)
        if one is None:
            return
        answer = self.ask("POST", f"/v1/executions/{one.id}/cancel", expected=(200, 409))
        if answer is not None and (answer.status_code == 200 or answer.json()["execution_status"] == "CANCELLED"):
            one.cancelled = True

    def look_at_one(self) -> None:
        one = self._account.pick(self._draw, lambda one: one.started)
        if one is None:
            return
        had = one.result
        answer = self.ask("GET", f"/v1/executions/{one.id}", expected=(200,))
        if answer is not None and (found := answer.json())["status"] == "SUCCEEDED":
            one.result = found["result"]
        if answer is not None and had is not None and (found["status"], found["result"]) != ("SUCCEEDED", had):
            self._account.violate(f"{one.id} had SUCCEEDED with {had} and is now {found['status']}: {found['result']}")
