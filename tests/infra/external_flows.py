"""Steps that others do: Lambda functions and ECS tasks, and a machine of no kind."""

from __future__ import annotations

from stepfast import EcsTask, external_step, workflow

ROLE = "arn:aws:iam::123456789012:role/render-task"
OTHERS = "arn:aws:lambda:us-east-1:210987654321:function:tax:live"
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/media"


@external_step(arn="function:pricing", timeout=60)
async def price_of(order: str) -> int:
    raise NotImplementedError


@external_step(arn=OTHERS, timeout=60)
async def tax_of(order: str) -> int:
    raise NotImplementedError


@external_step(
    arn="task-definition/render", task=EcsTask(cluster="media", container="c", roles=[ROLE]), timeout=60, pool="films"
)
async def render(order: str) -> str:
    raise NotImplementedError


@external_step(
    arn="arn:aws:ecs:eu-west-1:123456789012:task-definition/cut:7",
    task=EcsTask(cluster=CLUSTER, container="c"),
    timeout=60,
    pool="films",
)
async def cut(order: str) -> str:
    raise NotImplementedError


@external_step(arn="a machine", timeout=60, invoke=print, pool="machines")
async def measure(order: str) -> str:
    raise NotImplementedError


@workflow("external")
async def external(order: str) -> str:
    price = await price_of(order) + await tax_of(order)
    return f"{price} {await render(order)} {await cut(order)} {await measure(order)}"
