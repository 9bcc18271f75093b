"""Every AWS call of the functions, and what is to go wrong with which of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

When = Literal["before", "after", "lost"]
"""A call is never made; it is made, and its answer never comes to the sandbox, which dies; or which tries again."""


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call of a function to AWS.

    number: its position in `MotoCloud.calls`, counted from 0.
    function: the name of the function.
    request_id: the id of the invocation.
    service: the service, such as "dynamodb".
    operation: the operation, such as "PutItem".
    size: the size of the body in bytes.
    at: when the call was made, in simulated time.
    """

    number: int
    function: str
    request_id: str
    service: str
    operation: str
    size: int
    at: datetime
    parameters: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    def __str__(self) -> str:
        return f"call {self.number}: {self.function} {self.service}.{self.operation}"


@dataclass(frozen=True, slots=True)
class Outage:
    """A service that answers functions with an error code, until a time (microseconds), by a chance."""

    service: str
    code: str
    until: int
    operations: frozenset[str] | None = None
    functions: frozenset[str] | None = None
    chance: float = 1.0

    def meets(self, call: AwsCall, now: int, draw: random.Random) -> bool:
        return (
            self.service == call.service
            and now < self.until
            and (self.operations is None or call.operation in self.operations)
            and (self.functions is None or call.function in self.functions)
            and (self.chance >= 1 or draw.random() < self.chance)
        )


class Account:
    """`kills`: what becomes of the call of this number. `killed` tells what has come of them."""

    def __init__(self) -> None:
        self.calls: list[AwsCall] = []
        self.outages: list[Outage] = []
        self.kills: dict[int, When] = {}
        self.killed: list[str] = []

    def take_kill(self, call: AwsCall, when: When) -> bool:
        """True once for a call that is to be killed so."""
        if self.kills.get(call.number) != when:
            return False
        del self.kills[call.number]
        self.killed.append(f"{when} {call}")
        return True


def names(name_or_names: str | Iterable[str] | None) -> frozenset[str] | None:
    """The set of a name or of several; None stands for all names."""
    if name_or_names is None:
        return None
    return frozenset([name_or_names] if isinstance(name_or_names, str) else name_or_names)
