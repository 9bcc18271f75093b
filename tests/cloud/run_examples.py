"""An entity that continues as new, whose signals come beside its steps and as its runs end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from stepfast import ContinueAsNew, signal, step, workflow
from stepfast.testing import MotoCloud
from stepfast.testing.runs import Run
from tests.cloud.clients import signalled
from tests.cloud.exploration import Example


@step
def book(amount: int, balance: int) -> int:
    return balance + amount


@workflow("ledger")
async def ledger(state: list[int]) -> list[int]:
    """The amounts of all runs and their sum; two amounts in a run."""
    balance, *amounts = state
    for _ in range(2):
        if len(amounts) == 3:
            return [balance, *amounts]
        amounts.append(await signal("amount", int))
        balance = await book(amounts[-1], balance)
    raise ContinueAsNew([balance, *amounts])


def _nothing(cloud: MotoCloud) -> None: ...


def _amounts(cloud: MotoCloud, run: Run[Any]) -> None:
    for number, seconds in ((1, 0.5), (2, 0.1), (4, 0.0)):
        signalled(cloud, "amount", number, f"amount-{number}")
        cloud.advance(timedelta(seconds=seconds))
    cloud.run_until(run)


def _result(run: Run[Any], folder: Path) -> Any:
    """The sum, and the amounts; a client that tried again may have been overtaken by its next amount."""
    balance, *amounts = run.result
    return balance, sorted(amounts)


RUNS = {"ledger": Example("ledger", ledger, [0], _nothing, _result, play=_amounts)}
