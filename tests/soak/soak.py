"""A soak: `stepfast dev` under load, killed, paused and ended at random moments, and checked at the end."""

from __future__ import annotations

import random
import re
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.local.dev_process import Dev
from tests.soak import checks
from tests.soak.load import Account, Client

WORKFLOWS = Path(__file__).with_name("workflows")
CLIENTS = 4
_NEVER = "http://127.0.0.1:9"


@dataclass
class Report:
    """What a soak did, and what it found; `violations` is empty for one that passed."""

    seed: int
    done: Counter[str]
    executions: int
    promises: int
    runs: int
    answers: Counter[str]
    violations: list[str]

    def __str__(self) -> str:
        done = ", ".join(f"{count} {what}" for what, count in sorted(self.done.items()))
        answers = ", ".join(f"{count} x {what}" for what, count in self.answers.most_common())
        counted = f"{self.executions} executions, {self.promises} promises checked, {self.runs} step runs"
        return f"seed {self.seed}: {done}; {counted}; answers: {answers}"


class Soak:
    """One server on one file in `folder`, which is kept."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.trace = folder / "trace.txt"
        self.draw = random.Random(seed)
        self.dev = Dev(folder, SOAK_TRACE=str(self.trace))
        self.account = Account()
        self.done: Counter[str] = Counter()
        self.url = _NEVER
        self._clients: list[Client] = []

    # -- the server --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the server; now and then it is killed before it is ready, and started again."""
        while True:
            killed = threading.Timer(self.draw.uniform(0.0, 1.5), self._kill_early)
            if self.draw.random() < 0.15:
                killed.start()
            self.dev.start("--workflows", str(WORKFLOWS))
            killed.cancel()
            if self.dev.ready:
                self.url = "http://" + self.dev.ready.partition("http://")[2].split()[0]
                return
            self.end(signal.SIGKILL)

    def _kill_early(self) -> None:
        if self.dev.process is not None:
            self.dev.process.kill()

    def end(self, how: signal.Signals) -> None:
        self.url = _NEVER
        status, told = self.dev.end(how)
        if status not in (0, -signal.SIGKILL):
            self.account.violate(f"the server ended with {status}: {told[-3000:]}")
        if found := re.search(r"(.*\n.*\n)?Traceback(.*\n)*", told):
            self.account.violate(f"the server's log has a traceback: {found.group()[-3000:]}")

    # -- what happens to it ------------------------------------------------------------------------------

    def torment(self, seconds: float, least: int) -> None:
        """Kills, pauses and ends the server at random moments for this long, and until so many executions are there."""
        until = time.monotonic() + seconds
        while time.monotonic() < until or self._started() < least:
            time.sleep(min(self.draw.expovariate(1.8), 3.0))
            what = self.draw.random()
            if what < 0.25:
                self.pause(self.draw.uniform(0.05, 1.5))
            else:
                how = signal.SIGTERM if what > 0.93 else signal.SIGKILL
                self.end(how)
                self.done["kills" if how == signal.SIGKILL else "clean ends"] += 1
                self.start()

    def pause(self, seconds: float) -> None:
        assert self.dev.process is not None
        self.dev.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.dev.process.send_signal(signal.SIGCONT)
        self.done["pauses"] += 1

    # -- the load ----------------------------------------------------------------------------------------

    def load(self) -> None:
        self._clients = [Client(self.account, lambda: self.url, f"{self.seed}/{n}") for n in range(CLIENTS)]
        for client in self._clients:
            client.start()

    def unload(self) -> None:
        for client in self._clients:
            client.stopping.set()
        for client in self._clients:
            client.join()

    def report(self, patience: float = 90.0) -> Report:
        """Lets everything finish, and checks it; the server must be running."""
        checks.finish(self.dev.http, self.account, patience)
        promises = checks.promises(self.dev.http, self.account)
        runs = checks.runs(self.dev.http, self.account, self.trace)
        checks.verified(self.account, self.folder, WORKFLOWS)
        self.end(signal.SIGTERM)
        return Report(
            self.seed, self.done, self._started(), promises, runs, self.account.answers, self.account.violations
        )

    def _started(self) -> int:
        return sum(one.started for one in list(self.account.executions.values()))

    def run(self, seconds: float, least: int = 0) -> Report:
        """Torments the server under load for so many seconds, longer on a machine that starts too few executions."""
        self.start()
        self.load()
        try:
            self.torment(seconds, least)
        finally:
            self.unload()
        return self.report()

    def close(self) -> None:
        self.dev.end()
        self.dev.http.close()
