"""Workflows whose steps make spans of their own, as an instrumented HTTP client does."""

from __future__ import annotations

from opentelemetry import trace

from stepfast import ContinueAsNew, Retry, child, current_step, signal, sleep, step, update, workflow


class Refused(Exception):
    """A service says no, and quotes a secret."""


def call_service(name: str) -> None:
    with trace.get_tracer_provider().get_tracer("http-client").start_as_current_span(name):
        pass


@step(retry=Retry(max_attempts=3, initial=0.01))
def fetch(number: int) -> int:
    call_service("GET /prices")
    if current_step().attempt == 1:
        raise Refused("secret 1234")
    return number


@step(retry=Retry(max_attempts=1))
async def fail() -> None:
    raise Refused("secret 5678")


@workflow
async def priced(number: int) -> int:
    return await fetch(number) + await fetch(number)


@workflow
async def failing(number: int) -> int:
    await fetch(number)
    await fail()
    return number


@workflow
async def family(number: int) -> int:
    return await child(priced, number)


@workflow
async def awaiting(number: int) -> int:
    @update
    async def add(more: int) -> int:
        return number + more

    answer = await signal("approved", int)
    await sleep(0.05)
    return answer + await unhurried(number)


@step
def unhurried(number: int) -> int:
    return number


@workflow
async def turning(number: int) -> int:
    await fetch(number)
    if number < 2:
        raise ContinueAsNew(number + 1)
    return number


@step(pool="apart")
def where_am_i() -> str:
    """The ids of the span that spans made here would hang below."""
    here = trace.get_current_span().get_span_context()
    return f"{here.trace_id:032x}-{here.span_id:016x}"


@workflow
async def pooled(number: int) -> str:
    return await where_am_i()
