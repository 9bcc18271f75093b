"""What a deployment may start for external steps: their functions and tasks, from their pool, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from aws_cdk import App

from stepfast import EcsTask, external_step, workflow
from stepfast.deployment.plan import Plan
from stepfast.infra.bundle import Bundle
from stepfast.infra.external_grants import of_external
from stepfast.infra.stack import StepfastStack
from stepfast.language.registry import Registry
from tests.infra.conftest import Synthesized
from tests.infra.reading import roles, told

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


def allowed(pool: str) -> set[str]:
    pools = Plan.of(Registry([external])).pools
    told_all: set[str] = set()
    for statement in of_external(pools[pool].external):
        document: dict[str, Any] = statement.to_statement_json()
        told_all |= told(document)
    return told_all


def test_a_pool_may_start_exactly_what_its_steps_name() -> None:
    functions = {line for line in allowed("default") if line.startswith("lambda:InvokeFunction on ")}
    assert len(functions) == len(allowed("default")) == 2
    assert f"lambda:InvokeFunction on {OTHERS}" in functions
    (short,) = functions - {f"lambda:InvokeFunction on {OTHERS}"}
    assert short.endswith(":function:pricing")
    tasks = allowed("films")
    exact = "arn:aws:ecs:eu-west-1:123456789012:task-definition/cut:7"
    assert f"ecs:RunTask on {exact} if ecs:cluster ArnEquals {CLUSTER}" in tasks
    assert f"iam:PassRole on {ROLE} if iam:PassedToService StringEquals ecs-tasks.amazonaws.com" in tasks
    (newest,) = [line for line in tasks if ":task-definition/render:*" in line]
    assert newest.endswith(":cluster/media")
    assert len(tasks) == 3
    assert allowed("machines") == set()


def test_only_the_role_of_that_pool_gets_it(synthesized: Synthesized, plan: Plan, tmp_path: Path) -> None:
    steps = (price_of, render)
    pools = {**plan.pools, "pdf": replace(plan.pools["pdf"], external=steps)}
    code = tmp_path / "code"
    code.mkdir()
    (code / "handler.py").write_text("")
    app = App(outdir=str(tmp_path / "out"))
    StepfastStack(app, "starting", plan=replace(plan, pools=pools), bundle=Bundle(code, "0" * 64))
    app.synth()
    template = json.loads((tmp_path / "out" / "starting.template.json").read_text())
    before, after = roles(synthesized.plain), roles(template)
    more = {role: after[role] - before[role] for role in before if after[role] != before[role]}
    here = "<AWS::Region>:<AWS::AccountId>"
    ecs = f"arn:<AWS::Partition>:ecs:{here}"
    assert more == {
        "StepPdfRole": {
            f"lambda:InvokeFunction on arn:<AWS::Partition>:lambda:{here}:function:pricing",
            f"ecs:RunTask on {ecs}:task-definition/render:* if ecs:cluster ArnEquals {ecs}:cluster/media",
            f"iam:PassRole on {ROLE} if iam:PassedToService StringEquals ecs-tasks.amazonaws.com",
        }
    }
