"""Executions with children, with a map, and with many runs."""

from stepfast import ContinueAsNew, Retry, child, map_items, signal, step, workflow


@step(retry=Retry(max_attempts=1))
def odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError(f"{number} is even")
    return number


@workflow("leaf")
async def leaf(number: int) -> int:
    """A child of a child, which fails for an even number."""
    return await odd(number)


@workflow("branch")
async def branch(number: int) -> int:
    return await child(leaf, number)


@workflow("tree")
async def tree(number: int) -> int:
    """A root above two levels of children."""
    return await child(branch, number)


@workflow("mapping")
async def mapping(numbers: list[int]) -> int:
    """A map whose last batch is held by a signal of the workflow."""
    report = await map_items(odd, numbers, batch=3, tolerate=1.0)
    await signal("go")
    return report.succeeded


@step
def remember(turn: int) -> int:
    return turn


@workflow("endless")
async def endless(turn: int) -> int:
    """A run for each signal, until the third."""
    await signal("turn")
    await remember(turn)
    if turn < 3:
        raise ContinueAsNew(turn + 1)
    return turn
