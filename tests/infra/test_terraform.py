"""examples/terraform refers to what a synth writes. Terraform is not run: its providers are on no package index."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pytest
from aws_cdk import App

from stepfast.errors import StartupError
from stepfast.infra.app import stack
from stepfast.infra.assets import synthesizer_of
from tests.infra.conftest import Template, resources

EXAMPLE = Path(__file__).parents[2] / "examples/terraform/main.tf"
TEMPLATE_IN_A_REQUEST, TEMPLATE_BY_URL = 51_200, 1_000_000
"""CloudFormation's limits: docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html."""


@pytest.fixture(scope="module")
def blocks() -> dict[str, dict[str, Any]]:
    """The example's blocks by address, such as `aws_s3_bucket.code`, `data.archive_file.code` and `local`."""
    with EXAMPLE.open() as file:
        document = hcl2.load(file)
    addressed: dict[str, dict[str, Any]] = {}
    for kind, prefix in (("resource", ""), ("data", "data.")):
        for block in document[kind]:
            ((type_name, named),) = _contents(block)
            ((name, body),) = _contents(named)
            addressed[f"{prefix}{_text(type_name)}.{_text(name)}"] = body
    for kind, prefix in (("variable", "var."), ("output", "output.")):
        for block in document[kind]:
            ((name, body),) = _contents(block)
            addressed[f"{prefix}{_text(name)}"] = body
    (locals_block,) = document["locals"]
    return {**addressed, **{f"local.{name}": {"value": value} for name, value in _contents(locals_block)}}


def _contents(block: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in block.items() if not key.startswith("__")]


def _text(value: str) -> str:
    return value.strip('"')


def test_every_reference_of_the_example_is_to_one_of_its_blocks(blocks: dict[str, dict[str, Any]]) -> None:
    used = set(re.findall(r"\b((?:data\.)?(?:aws|archive)_\w+\.\w+|(?:var|local)\.\w+)", json.dumps(blocks)))
    assert {"var.assembly", "data.archive_file.code", "aws_s3_bucket.code", "local.key"} <= used
    assert used - blocks.keys() == set()


def test_the_stack_gets_the_parameters_that_the_template_takes_and_gives_its_outputs(
    blocks: dict[str, dict[str, Any]], own: dict[str, Template]
) -> None:
    template = own["terraform"]
    made = blocks["aws_cloudformation_stack.stepfast"]
    needed = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}
    assert set(made["parameters"]) - {"__is_block__"} == needed == {"AssetsBucket"}
    outputs = [body["value"] for address, body in blocks.items() if address.startswith("output.")]
    names = {name for text in outputs for name in re.findall(r'outputs\["(\w+)"\]', text)}
    assert names == {"ApiUrl", "TableName"} <= template["Outputs"].keys()


def test_the_stack_needs_no_more_than_the_capability_that_the_example_gives(
    blocks: dict[str, dict[str, Any]], own: dict[str, Template]
) -> None:
    assert [_text(text) for text in blocks["aws_cloudformation_stack.stepfast"]["capabilities"]] == ["CAPABILITY_IAM"]
    # Roles with a name, and macros, would need others.
    assert resources(own["terraform"], "AWS::IAM::Role")
    assert not [role for role in resources(own["terraform"], "AWS::IAM::Role").values() if "RoleName" in role]
    assert "Transform" not in own["terraform"]


def test_the_code_is_where_the_template_looks_for_it(
    blocks: dict[str, dict[str, Any]], own: dict[str, Template], terraform_assembly: Path
) -> None:
    # As local.code and local.key say it of the manifest.
    assert 'asset.source.packaging == "zip"' in blocks["local.code"]["value"]
    assert "values(asset.destinations) : place.objectKey" in blocks["local.key"]["value"]
    assert '/${var.name}.assets.json")).files' in blocks["local.files"]["value"].replace('\\"', '"')
    manifest = json.loads((terraform_assembly / "terraform.assets.json").read_text())
    code = [asset for asset in manifest["files"].values() if asset["source"]["packaging"] == "zip"]
    assert code
    keys = [[place["objectKey"] for place in asset["destinations"].values()] for asset in code]
    assert all(len(each) == 1 for each in keys), "terraform's one() takes no more"
    assert all((terraform_assembly / asset["source"]["path"]).is_dir() for asset in code)
    for function in resources(own["terraform"], "AWS::Lambda::Function").values():
        assert function["Code"]["S3Bucket"] == {"Fn::Sub": "${AssetsBucket}"}
        assert [function["Code"]["S3Key"]] in keys


def test_the_template_is_too_large_for_a_request_and_fits_behind_an_address(
    own: dict[str, Template], terraform_assembly: Path
) -> None:
    assert own["terraform"]
    size = (terraform_assembly / "terraform.template.json").stat().st_size
    assert TEMPLATE_IN_A_REQUEST < size < TEMPLATE_BY_URL


def test_nothing_of_the_template_needs_the_bootstrap_of_the_cdk(own: dict[str, Template]) -> None:
    assert "cdk-hnb659fds" not in json.dumps(own["terraform"]["Resources"])
    assert "BootstrapVersion" in own["packed"]["Parameters"]
    assert not {"BootstrapVersion", "Rules"} & (own["terraform"].keys() | own["terraform"]["Parameters"].keys())


def test_the_code_of_an_image_has_no_parameter(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="stepfast:assets is one of bootstrap, parameter, not 'none'"):
        synthesizer_of("none")  # type: ignore[arg-type]
    copy = tmp_path / "shop"
    copy.mkdir()
    (copy / "pyproject.toml").write_text('[tool.stepfast]\npackaging = "image"\n')
    with pytest.raises(StartupError, match="stepfast:assets=parameter is for zips"):
        stack(App(), copy, cache=tmp_path, assets="parameter")
