"""Workflows that the tests of the deployed stack steer from outside, by files in PROBES."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from stepfast import (
    Gate,
    Limit,
    Rate,
    Retry,
    UpdateRefused,
    all_updates_done,
    callback,
    current_step,
    external_step,
    query,
    set_labels,
    set_status,
    signal,
    step,
    update,
    workflow,
)


def _folder() -> Path:
    return Path(os.environ["PROBES"])


def _count(name: str) -> None:
    """One line per attempt: a single short append is whole, whoever else writes."""
    with (_folder() / f"{name}.log").open("a") as log:
        log.write(f"{current_step().execution_id}\n")


@step(retry=Retry(max_attempts=1))
def counted(value: str) -> str:
    _count("counted")
    return value


@step(retry=Retry(max_attempts=3, initial=0.2, max_delay=0.5))
def fragile(value: str) -> str:
    """Fails while there is a file `down`."""
    _count("fragile")
    if (_folder() / "down").exists():
        raise ConnectionError("the other side is down")
    return value


@step
def large(kilobytes: int) -> str:
    return "x" * (kilobytes * 1024)


@step
def size_of(text: str) -> int:
    return len(text)


@step(pool="side")
def aside(number: int) -> int:
    return number * number


@step(limits=[Limit("probes", rate=20, concurrency=1, gate=Gate())])
def limited(number: int) -> int:
    return number


@external_step(
    arn="function:rates-of-others", timeout=120, heartbeat=4, retry=Retry(max_attempts=3, initial=0.2, jitter="none")
)
async def rate_of(currency: str) -> float:
    raise NotImplementedError


@workflow("rate")
async def rate(currency: str) -> float:
    return await rate_of(currency)


@workflow("limit")
async def limiting(count: int) -> list[int]:
    return list(await asyncio.gather(*[limited(number) for number in range(count)]))


@workflow("count")
async def count(value: str) -> str:
    return await counted(value)


@workflow("break")
async def breaking(value: str) -> str:
    return await fragile(await counted(value))


@step(retry=Retry(max_attempts=2, initial=0.1))
def complained(value: str) -> str:
    raise RuntimeError(f"cannot do anything with {value}")


@workflow("complain")
async def complain(value: str) -> str:
    return await complained(value)


@step(retry=Retry(max_attempts=1))
def trespassed(table: str) -> dict[str, str]:
    """What becomes of calls that the function's role does not allow, by their names."""
    import boto3
    from botocore.exceptions import ClientError

    dynamodb, sqs = boto3.client("dynamodb"), boto3.client("sqs")
    key = {"pk": {"S": "k#0123456789abcdef"}, "sk": {"S": "key"}}
    tried = {
        "read a key": lambda: dynamodb.get_item(TableName=table, Key=key),
        "make a key": lambda: dynamodb.put_item(TableName=table, Item=key),
        "read everything": lambda: dynamodb.scan(TableName=table),
        "remove the table": lambda: dynamodb.delete_table(TableName=table),
        "list queues": lambda: sqs.list_queues(),
        "read another queue": lambda: sqs.receive_message(QueueUrl=os.environ["STEPFAST_PARK_QUEUE"]),
        "read an execution": lambda: dynamodb.get_item(
            TableName=table, Key={"pk": {"S": "x#none"}, "sk": {"S": "meta"}}
        ),
    }
    found = {}
    for name, call in tried.items():
        try:
            call()
            found[name] = "done"
        except ClientError as error:
            found[name] = error.response["Error"]["Code"]
    return found


@workflow("trespass")
async def trespass(table: str) -> dict[str, str]:
    return await trespassed(table)


@workflow("nap")
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return await counted("awake")


@workflow("ask")
async def ask(value: str) -> str:
    answer = await signal("answered", str, timeout=timedelta(days=1))
    return await counted(f"{value} {answer}")


@workflow("purse")
async def purse(balance: int) -> int:
    """Answers a query and updates, until it is empty."""
    empty = asyncio.Event()

    @query
    def money() -> int:
        return balance

    @update
    async def change(amount: int) -> int:
        nonlocal balance
        balance += amount
        await counted(str(amount))
        if not balance:
            empty.set()
        return balance

    @change.check
    def _(amount: int) -> None:
        if balance + amount < 0:
            raise UpdateRefused(f"there are only {balance}")

    await empty.wait()
    await all_updates_done()
    return balance


@step
def mailed(url: str) -> str:
    return url


@workflow("approve")
async def approve(value: str) -> str:
    async with callback("approved", bool, timeout=timedelta(days=1)) as link:
        await mailed(link.url)
        approved = await link.answer()
    return await counted(f"{value} {approved}")


@workflow("display")
async def display(value: str) -> str:
    """Shows a status and labels, and waits."""
    set_status("asking")
    set_labels(team=value)
    answer = await signal("answered", str, timeout=timedelta(days=1))
    set_status("answered")
    set_labels(answer=answer)
    return await counted(answer)


@workflow("carry")
async def carry(kilobytes: int) -> int:
    return await size_of(await large(kilobytes))


@workflow("spread")
async def spread(width: int) -> int:
    return sum(await asyncio.gather(*(aside(number) for number in range(width))))


@workflow("held")
async def held() -> None:
    """Runs until it is cancelled."""
    await signal("go", str)


def _first_letter(value: str) -> str:
    return value[:1]


@workflow("solo", singleton=_first_letter, on_conflict="wait")
async def solo(value: str) -> str:
    """One at a time for each first letter of its input."""
    return f"{value} {await signal('answered', str)}"


@workflow("sole", singleton=_first_letter, on_conflict="skip")
async def sole(value: str) -> str:
    return f"{value} {await signal('answered', str)}"


@workflow("steady", throttle=Rate(2, per=2))
async def steady(value: str) -> str:
    return await counted(value)


@workflow("tidy")
async def tidy(value: str) -> str:
    """Runs a step when it is cancelled."""
    try:
        return await signal("answered", str)
    finally:
        await counted(value)


@workflow("echoed")
async def echoed(value: str) -> str:
    return await counted(value)


@workflow("echoed-event")
async def echoed_event(event: dict[str, str]) -> dict[str, str]:
    """Started by events: its input is their detail, or their body."""
    await counted(event["value"])
    return event
