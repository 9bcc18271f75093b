"""Steps of two pools: one with settings, one without."""

from stepfast import Limit, step, workflow


@step(timeout=20)
def look_up(name: str) -> str:
    return name


@step(pool="pdf", timeout=100, limits=[Limit("printer", rate=10, per=60)])
def draw(name: str) -> str:
    return name


@workflow("print")
async def printing(name: str) -> str:
    return await draw(await look_up(name))
