"""What a deployment may start for external steps: their functions and tasks, from their pool, and nothing else."""

from __future__ import annotations

from typing import Any

from stepfast.deployment.plan import Plan
from stepfast.infra.external_grants import of_external
from stepfast.language.registry import Registry
from tests.infra.conftest import Synthesized
from tests.infra.external_flows import CLUSTER, OTHERS, ROLE, external
from tests.infra.reading import roles, told


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


def test_only_the_role_of_that_pool_gets_it(synthesized: Synthesized) -> None:
    before, after = roles(synthesized.plain), roles(synthesized.templates["starting"])
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
