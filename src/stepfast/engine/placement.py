"""Where a deployment can run steps: its pools, and how long a step of each may take. Pure.

Discovery follows code as far as it can. A step that is only made while a workflow runs, or that other code brings
than was deployed, may be of a pool that has no queue, or need more time than its pool's function has. Its message
would wait for ever, or its function would be killed at each try: the execution fails at once instead, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from stepfast.engine.claims import LEASE_MARGIN
from stepfast.language.steps import Step
from stepfast.model import Record
from stepfast.records import dataclass
from stepfast.replay.replay import Command

ADVICE = (
    "deploy the workflows that are installed here as one stack, with the step at the top level of a module that a "
    "workflow imports, and resume this execution"
)


@dataclass(frozen=True, slots=True)
class Placement:
    """A deployment's pools. timeouts: pool -> seconds that its function may run; None where that is not known."""

    timeouts: Mapping[str, float | None] = field(default_factory=dict)

    def wrong_with(self, step: Step[..., Any]) -> str | None:
        """What keeps a step from running here, and what to do; None when it can."""
        if step.pool not in self.timeouts:
            known = ", ".join(sorted(self.timeouts)) or "none"
            return (
                f"step {step.name!r} is not in this deployment: its pool {step.pool!r} has no queue there; "
                f"the pools are: {known}. To mend it, {ADVICE}"
            )
        limit = self.timeouts[step.pool]
        if step.declared.timeout < step.timeout and limit is not None and step.timeout + LEASE_MARGIN > limit:
            return (
                f"step {step.name!r} is called with options(timeout={step.timeout:g}), and the function of pool "
                f"{step.pool!r} ends after {limit:g} s, of which {LEASE_MARGIN:g} s are to record the outcome. To mend "
                "it, give the call a shorter timeout, or make the step with these options at a module's top level, "
                f"where the plan sees it, or set timeout in [tool.stepfast.pools.{step.pool}]; deploy, and resume this "
                "execution"
            )
        if limit is not None and step.timeout + LEASE_MARGIN > limit:
            return (
                f"step {step.name!r} is not in this deployment: its timeout is {step.timeout:g} s, and the function of "
                f"pool {step.pool!r} ends after {limit:g} s, of which {LEASE_MARGIN:g} s are to record the outcome. "
                f"To mend it, {ADVICE}, or give the step a shorter timeout"
            )
        return None

    def first_wrong(self, outstanding: Mapping[str, Command], records: Mapping[str, Record]) -> str | None:
        """What is wrong with the first command that waits for a try which cannot be made here."""
        for id, command in outstanding.items():
            record = records.get(id)
            waits = record is None or record.status in ("OPEN", "RETRYING")
            if waits and command.step is not None and (wrong := self.wrong_with(command.step)) is not None:
                return wrong
        return None
