"""Templates told in words: ARNs by what they stand for, statements as lines."""

from __future__ import annotations

import re
from typing import Any

from tests.infra.conftest import Template, resources

_HASH = re.compile(r"[0-9A-F]{8}$")


def named(value: Any) -> str:
    """An ARN or other reference: `StateTable`, `StateTable.StreamArn`, `StateValues/x/*`."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return f"<{_HASH.sub('', value['Ref'])}>"
    if "Fn::GetAtt" in value:
        name, attribute = value["Fn::GetAtt"]
        return _HASH.sub("", name) + ("" if attribute == "Arn" else f".{attribute}")
    separator, parts = value["Fn::Join"]
    return str(separator).join(named(part) for part in parts)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def told(statement: dict[str, Any]) -> set[str]:
    """A statement as `Effect action on resource (conditions)`, one line for each pair."""
    conditions = "".join(
        f" if {key} {operator} {' '.join(sorted(named(allowed) for allowed in listed(values)))}"
        for operator, by_key in sorted(statement.get("Condition", {}).items())
        for key, values in by_key.items()
    )
    allowed = "" if statement["Effect"] == "Allow" else "NOT "
    return {
        f"{allowed}{action} on {named(resource)}{conditions}"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def roles(template: Template) -> dict[str, set[str]]:
    """What each role may do, by the role's name."""
    return {
        _HASH.sub("", name): {
            line
            for policy in role.get("Policies", ())
            for statement in policy["PolicyDocument"]["Statement"]
            for line in told(statement)
        }
        for name, role in resources(template, "AWS::IAM::Role").items()
    }
