"""The simulated world with an operator who pauses what runs and closes what has failed, at any moment.

What is under way at that moment goes on: workers in the middle of a step, advances, signals, redrives, resumes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from stepfast.backends.sqlite import store as sqlite
from stepfast.engine import advancer, chain, deliveries, pausing, resuming, step_handler, timer_handler
from stepfast.engine.chain import CANCEL_LOOK_SECONDS
from stepfast.model import OrderEntry
from tests.lanes import seeds
from tests.simulation.breaking import Patch, edited
from tests.simulation.invariants import ID, Violation, check
from tests.simulation.world import Handler, World

SEEDS = seeds(25, 200)
FLOWS = ("approvals", "completed", "deadline", "fan_out", "late", "linear", "nested", "saga", "timed", "torn", "turns")


class PausingWorld(World):
    """done: how often the operator has done what."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.paused_at: float | None = None
        self.paused_in = 0
        self._late: Counter[int] = Counter()
        self._first: dict[int, float] = {}
        super().__init__(workflow, seed)
        self._watch_begins()

    def _watch_begins(self) -> None:
        begun = self.watch.begun

        def seen(step: Any, context: Any, arguments: Any) -> None:
            self._begins(context.step_id)
            begun(step, context, arguments)

        self.watch.begun = seen  # type: ignore[method-assign]

    def _begins(self, step_id: str) -> None:
        """A step begins while the execution is PAUSED only by who has read the execution before the pause.

        A worker that has claimed a step by then goes on with those that follow for as long as a chain does not look
        at the execution; the last of them may be held up.
        """
        handler = self.acting
        if self.paused_at is None or handler is None:
            return
        if handler.born > self.paused_in:
            self.watch.violated("promises-are-kept", f"{step_id} begins, though it is PAUSED")
        first = self._first.setdefault(id(handler), self.now)
        self._late[id(handler)] += self.now > max(first, self.paused_at) + CANCEL_LOOK_SECONDS + 0.05
        if self._late[id(handler)] > 1:
            self.watch.violated("promises-are-kept", f"{step_id} begins, and its chain has not looked")

    def _open(self) -> None:
        super()._open()
        intervene, rewind = self.backend.intervene, self.backend.rewind

        async def turned(turn: Any) -> bool:
            written = await intervene(turn)
            if written:
                self._turned(turn.after.status, turn.after.intervention.action)
            return written

        async def rewound(*arguments: Any) -> bool:
            held = self.file.row("SELECT status FROM executions", ())
            written = await rewind(*arguments)
            if written and held is not None and held[0] == "CLOSED":
                self.watch.violated("promises-are-kept", "it is resumed, though it is CLOSED")
            return written

        self.backend.intervene = turned  # type: ignore[method-assign]
        self.backend.rewind = rewound  # type: ignore[method-assign, assignment]

    def _turned(self, status: str, action: str) -> None:
        self.note(f"{action}: {status}")
        self.done[action] += 1
        self._late.clear()
        self._first.clear()
        self.paused_at, self.paused_in = (self.now, self.turns) if status == "PAUSED" else (None, 0)

    def _from_outside(self, status: str | None) -> list[Callable[[], object]]:
        choices, draw = super()._from_outside(status), self.random.random
        if status == "RUNNING" and self.done["pause"] < 4 and draw() < 0.02:
            choices.append(lambda: self._spawn("pause", self._do("pause")))
        if status == "PAUSED":
            if self.unsent and draw() < 0.05:
                choices.append(self._send_signal)
            if draw() < 0.01:
                choices.append(lambda: self._spawn("unpause", self._do("unpause")))
            if self.cancelling and draw() < 0.003:
                choices.append(lambda: self._spawn("cancel", self._cancel))
            if draw() < 0.01:
                choices.append(lambda: self._spawn("advance again", self._advance_again))
        if status == "FAILED" and self.done["close"] < 3 and draw() < 0.1:
            choices.append(lambda: self._spawn("close", self._do("close")))
        if status == "CLOSED" and draw() < 0.02:
            choices.append(lambda: self._spawn("reopen", self._do("reopen")))
        if status == "CLOSED" and draw() < 0.05:
            choices.append(lambda: self._spawn("resume", self._resume))
        return choices

    def _idle(self, status: str | None) -> Callable[[], object] | None:
        held = [*self.queue.values(), *(one.until for one in self.live)]
        if status in ("PAUSED", "CLOSED") and held and self.random.random() < 0.8:
            return lambda: setattr(self, "now", max(self.now, min(held)))
        if status == "PAUSED":
            self.now += self.random.uniform(1, 120)
            return lambda: self._spawn("unpause", self._do("unpause"))
        if status == "CLOSED":
            self.now += self.random.uniform(1, 60)
            return lambda: self._spawn("reopen", self._do("reopen"))
        if status == "FAILED" and self.done["close"]:
            # The dead letter of what was closed may be gone: only a resume is sure to help.
            due = [*self.queue.values(), *(one.until for one in self.live)]
            if due and self.random.random() < 0.8:
                return lambda: setattr(self, "now", max(self.now, min(due)))
            self.now += self.random.uniform(3, 60)
            return lambda: self._spawn("resume", self._resume)
        return super()._idle(status)

    def _do(self, action: str) -> Callable[[Handler], Any]:
        async def work(handler: Handler) -> None:
            await getattr(self._engine()[2], action)(ID)

        return work


def run(workflow: str, seed: int) -> PausingWorld:
    world = PausingWorld(workflow, seed)
    try:
        check(world, world.run())
    except BaseException as error:
        error.add_note(f"workflow {workflow}, seed {seed}:\n" + "\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()
    return world


@pytest.mark.parametrize("workflow", FLOWS)
def test_a_paused_one_starts_nothing_and_goes_on_and_a_closed_one_is_not_resumed(workflow: str) -> None:
    worlds = [run(workflow, seed) for seed in SEEDS]
    assert sum(one.done["unpause"] for one in worlds) > 5, "too little was paused to say anything"


def test_what_has_failed_is_closed_and_reopened() -> None:
    worlds = [run(workflow, seed) for workflow in ("saga", "torn") for seed in SEEDS]
    assert sum(one.done["reopen"] for one in worlds) > 5, "too little was closed to say anything"


# -- broken on purpose ---------------------------------------------------------------------------------------


def messages_of_a_paused_one_are_handled(patch: Patch) -> None:
    edited(
        patch,
        deliveries,
        "superseded",
        ('case "RUNNING" if execution', 'case "RUNNING" | "PAUSED" if execution'),
    )
    for module in (step_handler, timer_handler):
        patch.setattr(module, "superseded", deliveries.superseded)


def a_chain_does_not_look_for_a_pause(patch: Patch) -> None:
    edited(patch, chain.Chain, "_unless_over", ('execution.status == "RUNNING"', 'execution.status != "CANCELLED"'))


def an_unpause_clears_no_marks(patch: Patch) -> None:
    patch.setattr(pausing, "OrderEntry", lambda number, generation, cut: OrderEntry(number, generation, dispatched=()))


def an_unpause_wakes_nobody(patch: Patch) -> None:
    edited(patch, pausing.Pausing, "_unpause", ("wake=True", "wake=False"))


def claims_from_before_a_pause_are_not_sent_again(patch: Patch) -> None:
    edited(patch, advancer.Advancer, "_due", ("if unpaused_at is not None and", "if unpaused_at is None and False and"))


def a_closed_one_is_resumed(patch: Patch) -> None:
    edited(
        patch,
        resuming.Resuming,
        "_require_resumable",
        ('if status == "CLOSED":', 'if status == "NONE":'),
        ('elif status != "FAILED":', 'elif status not in ("FAILED", "CLOSED"):'),
    )
    edited(
        patch,
        sqlite.SqliteBackend,
        "rewind",
        (
            "writes.put_status(tx, execution, before.status, before.generation)",
            'any(writes.put_status(tx, execution, each, before.generation) for each in ("FAILED", "CLOSED"))',
        ),
    )


MUTANTS: list[tuple[Any, str, int]] = [
    (messages_of_a_paused_one_are_handled, "approvals", 0),
    (a_chain_does_not_look_for_a_pause, "nested", 33),
    (an_unpause_clears_no_marks, "approvals", 0),
    (an_unpause_wakes_nobody, "approvals", 0),
    (claims_from_before_a_pause_are_not_sent_again, "fan_out", 0),
    (a_closed_one_is_resumed, "late", 1),
]
"""What goes wrong, and the first run that has shown it."""


@pytest.mark.parametrize(("broken", "workflow", "seed"), MUTANTS)
def test_it_is_noticed_when_pausing_or_closing_is_broken(
    broken: Callable[[Patch], None], workflow: str, seed: int, monkeypatch: Patch
) -> None:
    broken(monkeypatch)
    with pytest.raises(Violation):
        _run_all(workflow, seed)


def _run_all(workflow: str, seed: int) -> None:
    run(workflow, seed)
    for other in range(100):
        for flow in FLOWS:
            run(flow, other)
