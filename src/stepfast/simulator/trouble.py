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
        """Every call of a function to AWS so far, in order. `kill_at` takes the position of a call."""
        return self.player.world.account.calls

    def kill_at(self, number: int, when: When = "before") -> None:
        """Kills a handler at one of its calls to AWS. It may be called several times.

        number: the position of the call in `calls`, counted from 0.
        when: "before" the call is made; "after" it was made, before the handler sees the answer; "lost" loses the
        answer and lets the handler live, so that botocore tries again although the write has been done.

        A call that never comes fails the test. Raises ValueError for a call that has already been made.
        """
        if number < len(self.calls):
            raise ValueError(f"call {number} has been made already")
        self.player.world.account.kills[number] = when

    @property
    def killed(self) -> list[str]:
        """The calls at which handlers were killed, in order."""
        return self.player.world.account.killed

    def _outage_of_service(
        self,
        service: str,
        duration: timedelta,
        *,
        error: str = "InternalServerError",
        operations: str | Iterable[str] | None = None,
        functions: str | Iterable[str] | None = None,
        chance: float = 1.0,
    ) -> None:
        """Makes a service answer the functions with an error from now on.

        service: "dynamodb", "sqs", "s3", "scheduler", "kms" or "events".
        duration: how long the outage lasts, in simulated time.
        error: the code of the error.
        operations: the names of the operations that fail; None for all.
        functions: the names of the functions whose calls fail; None for all.
        chance: the chance of each call to fail, from 0 to 1.

        botocore tries again, in simulated time, as it does in Lambda.
        """
        until = self.player.world.clock.micros + micros(duration.total_seconds())
        outages = self.player.world.account.outages
        outages.append(Outage(service, error, until, names(operations), names(functions), chance))

    def throttle(self, duration: timedelta, service: str = "dynamodb", *, chance: float = 1.0) -> None:
        """Makes a `service` refuse calls as too many, for the `duration`, each by the `chance` from 0 to 1."""
        code = "ProvisionedThroughputExceededException" if service == "dynamodb" else "ThrottlingException"
        self._outage_of_service(service, duration, error=code, chance=chance)

    def skew(self, function: str, by: timedelta) -> None:
        """Sets the clocks of the new sandboxes of a function ahead.

        function: the name of the function, such as "api" or "step-default".
        by: how much the clocks are ahead; below zero they are behind.

        Raises ValueError for an unknown function.
        """
        if function not in self.player.functions:
            known = ", ".join(self.player.functions)
            raise ValueError(f"there is no function {function!r}; there are: {known}")
        self.player.functions[function].skew = by.total_seconds()
        self.player.functions[function].forget()
