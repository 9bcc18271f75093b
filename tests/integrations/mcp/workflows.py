"""The workflows that the tests of `stepfast mcp` offer as tools."""

from __future__ import annotations

import threading

from pydantic import BaseModel

from stepfast import Retry, child, query, signal, step, update, workflow

paid = threading.Event()
"""Set: the step `charge` succeeds."""


class Person(BaseModel):
    name: str
    friends: list[Person] = []


@step
def greet(person: Person) -> str:
    return f"Hello {person.name}"


@workflow("greeting")
async def greeting(person: Person) -> str:
    """Greets a person.

    The friends of the person are greeted in another workflow.
    """
    return await greet(person)


@step(retry=Retry(max_attempts=1))
def charge(cents: int) -> str:
    if not paid.is_set():
        raise ConnectionError("the bank is closed")
    return f"charged {cents}"


@workflow("billing.charge")
async def billing(cents: int) -> str:
    return await charge(cents)


@workflow("approval")
async def approval() -> str:
    said: list[str] = []

    @query
    def remarks() -> list[str]:
        return said

    @update
    async def remark(text: str) -> int:
        said.append(text)
        return len(said)

    return "approved" if await signal("decision", bool) else "declined"


@workflow("both")
async def both() -> str:
    return await child(greeting, Person(name="Ada")) + await child(approval)


WORKFLOWS = (greeting, billing, approval)
"""Those that each test of the tools has."""
FAMILY = (greeting, approval, both)
STEPS = (greet, charge)
