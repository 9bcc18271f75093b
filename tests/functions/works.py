"""A workflow of one step, for tests of the functions that do not look at what it does."""

from stepfast import step, workflow


@step
def work(number: int) -> int:
    return number


@workflow("works")
async def works(number: int) -> int:
    return await work(number)
