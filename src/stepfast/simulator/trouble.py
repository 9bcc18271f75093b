"""What goes wrong in a cloud on request: killed functions, services that are away, clocks that are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from stepfast.simulator.account import AwsCall, Outage, When, names
from stepfast.simulator.clock import micros
from stepfast.simulator.player import Player


class Trouble:
    """The part of a cloud that lets it down."""

    player: Player

    @property
    def calls(self) -> Sequence[AwsCall]:
        """Every call of a function to AWS so far, in order; the numbers are those of kill_at."""
        return self.player.world.account.calls

    def kill_at(self, number: int, when: When = "before") -> None:
        """Kills the handler at an AWS call: "before" it is made, or "after" it was, the answer unseen.

        With "lost" the handler lives on and botocore tries again, what was written notwithstanding. May be
        called several times. A call that never comes fails the test.
        """
        if number < len(self.calls):
            raise ValueError(f"call {number} has been made already")
        self.player.world.account.kills[number] = when

    @property
    def killed(self) -> list[str]:
        """The calls at which handlers were killed."""
        return self.player.world.account.killed

    def outage(
        self,
        service: str,
        duration: timedelta,
        *,
        error: str = "InternalServerError",
        operations: str | Iterable[str] | None = None,
        functions: str | Iterable[str] | None = None,
        chance: float = 1.0,
    ) -> None:
        """Has a service answer functions with an error from now on: "dynamodb", "sqs", "s3" or "scheduler".

        error: its code. operations, functions: only these, by name. chance: of each call to meet it. botocore
        tries again, in simulated time, as it does in Lambda.
        """
        until = self.player.world.clock.micros + micros(duration.total_seconds())
        outages = self.player.world.account.outages
        outages.append(Outage(service, error, until, names(operations), names(functions), chance))

    def throttle(self, duration: timedelta, service: str = "dynamodb", *, chance: float = 1.0) -> None:
        """Has a service refuse calls because there are too many."""
        code = "ProvisionedThroughputExceededException" if service == "dynamodb" else "ThrottlingException"
        self.outage(service, duration, error=code, chance=chance)

    def skew(self, function: str, by: timedelta) -> None:
        """Has the clocks of a function's new sandboxes be ahead (or behind), by its name: "api", "step-default"."""
        if function not in self.player.functions:
            known = ", ".join(self.player.functions)
            raise ValueError(f"there is no function {function!r}; there are: {known}")
        self.player.functions[function].skew = by.total_seconds()
        self.player.functions[function].forget()
