"""Where a deployment's code lies: the bucket of `cdk bootstrap`, or a bucket that the template takes as a parameter."""

from __future__ import annotations

from typing import Literal, get_args

from aws_cdk import CfnParameter, DefaultStackSynthesizer, Stack

from stepfast.errors import StartupError

Assets = Literal["bootstrap", "parameter"]
PARAMETER = "AssetsBucket"
"""The parameter of the template that names the bucket."""


def synthesizer_of(assets: Assets) -> DefaultStackSynthesizer | None:
    """The synthesizer of a stack; None for the CDK's own, which needs `cdk bootstrap`.

    Raises StartupError for another word.
    """
    if assets not in get_args(Assets):
        raise StartupError(f"stepfast:assets is one of {', '.join(get_args(Assets))}, not {assets!r}")
    if assets == "bootstrap":
        return None
    # The CDK writes a name with ${…} as Fn::Sub, which takes parameters of the template.
    return DefaultStackSynthesizer(file_assets_bucket_name=f"${{{PARAMETER}}}", generate_bootstrap_version_rule=False)


def add_parameter(stack: Stack) -> None:
    """Adds the parameter to a stack with the synthesizer of "parameter"."""
    CfnParameter(stack, PARAMETER, description="The bucket that holds the code of the functions")
