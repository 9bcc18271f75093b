"""Encryption in the stack: a table of data keys without backups, and what roles may do with it and with the KMS key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfast.deployment.plan import Plan
from stepfast.errors import StartupError
from stepfast.infra import requirements
from stepfast.infra.options import Options, check
from tests.infra.conftest import KMS_KEY, Synthesized, resources
from tests.infra.reading import roles
from tests.infra.test_grants import EXPECTED

BOUND = "if kms:EncryptionContext:stepfast:execution Null false"
CALLS = ("DeleteItem", "GetItem", "PutItem", "Query")


def test_roles_may_use_the_key_for_data_keys_of_executions_and_nothing_else(synthesized: Synthesized) -> None:
    encrypting = {f"dynamodb:{call} on StateKeys" for call in CALLS}
    encrypting |= {f"kms:{call} on {KMS_KEY} {BOUND}" for call in ("Decrypt", "GenerateDataKey")}
    made = roles(synthesized.templates["encrypted"])
    for role, lines in EXPECTED.items():
        encrypts = role not in ("AuthorizerRole", "TimersRole", "RecurringSweepRole")
        scans = {"dynamodb:Scan on StateKeys"} if role == "SweeperRole" else set()
        assert made[role] == lines | scans | (encrypting if encrypts else set()), role


def test_with_an_alias_only_the_keys_that_have_it_are_allowed(synthesized: Synthesized) -> None:
    (line,) = (line for line in roles(synthesized.templates["by-alias"])["ApiRole"] if line.startswith("kms:Decrypt"))
    assert "kms:ResourceAliases ForAnyValue:StringEquals alias/flows" in line
    assert "arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>:key/*" in line


def test_no_backup_has_the_data_keys(synthesized: Synthesized) -> None:
    template = synthesized.templates["encrypted"]
    keys = next(made for id, made in template["Resources"].items() if id.startswith("StateKeys"))
    assert "PointInTimeRecoverySpecification" not in keys["Properties"]
    assert "StreamSpecification" not in keys["Properties"]
    assert (keys["DeletionPolicy"], keys["Properties"]["DeletionProtectionEnabled"]) == ("Retain", True)
    others = [
        made for id, made in resources(template, "AWS::DynamoDB::Table").items() if not id.startswith("StateKeys")
    ]
    assert len(others) == 1
    assert others[0]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_functions_get_the_package_only_where_they_need_it() -> None:
    signing_on = {requirements.name_of(line) for line in requirements.of_stepfast(sign_on=True)}
    assert "pyjwt" in signing_on
    assert "pyjwt" not in {requirements.name_of(line) for line in requirements.of_stepfast()}
    assert "cryptography" not in {requirements.name_of(line) for line in requirements.of_stepfast()}
    assert "cryptography" in {requirements.name_of(line) for line in requirements.of_stepfast(encryption=True)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"key_table": "keys"}, "key_table has the data keys of a deployment: set kms_key as well"),
        (
            {"kms_key": KMS_KEY, "log_values": True},
            "log_values writes into the logs in the clear",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(plan: Plan, settings: dict[str, object], message: str) -> None:
    with pytest.raises(StartupError, match=message):
        check(replace(plan, project=replace(plan.project, **settings)), Options())  # type: ignore[arg-type]
