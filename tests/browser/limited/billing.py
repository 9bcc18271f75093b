"""Calls of customers that are limited, and a service behind a gate; both wait while a test holds them up."""

import asyncio
import os
from pathlib import Path

from stepfast import Gate, Limit, Retry, step, workflow

CRM = Limit("crm", concurrency=1, rate=1000, key=lambda customer: customer)
PDF = Limit("pdf", key=lambda customer: customer, gate=Gate(failures=2, window=60, probe=2))


def _held(service: str) -> bool:
    """True while a test holds this service up."""
    return (Path(os.environ["OUTAGES"]) / service).exists()


@step(limits=[CRM], timeout=60)
async def look_up(customer: str) -> str:
    while _held("crm"):
        await asyncio.sleep(0.05)
    return customer


@step(limits=[PDF], retry=Retry(max_attempts=3, initial=0.05, jitter="none"), timeout=60)
async def draw(customer: str) -> str:
    if _held("pdf"):
        raise ConnectionError("the PDF service does not answer")
    return customer


@workflow("look-up-all")
async def look_up_all(customers: list[str]) -> int:
    """Looks customers up, each at most once at a time."""
    return len(await asyncio.gather(*[look_up(customer) for customer in customers]))


@workflow("bill")
async def bill(customer: str) -> str:
    """Draws a bill."""
    return await draw(customer)
