"""What functions are made of: a zip, or a container image in which each of them names its own handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aws_cdk import aws_ecr_assets as images
from aws_cdk import aws_lambda as lambda_


@dataclass(frozen=True, slots=True)
class FunctionCode:
    """The arguments of a function that differ between a zip and an image."""

    code: lambda_.Code
    handler: str
    runtime: lambda_.Runtime


class Packaging(Protocol):
    def of(self, handler: str) -> FunctionCode:
        """The code of the function with this handler, a dotted name."""
        ...


@dataclass(frozen=True, slots=True)
class Zip:
    asset: lambda_.Code
    python: str

    def of(self, handler: str) -> FunctionCode:
        # The runtime by name, so that it may be newer than the installed CDK knows.
        runtime = lambda_.Runtime(
            f"python{self.python}", lambda_.RuntimeFamily.PYTHON, supports_snap_start=self.python != "3.11"
        )
        return FunctionCode(self.asset, handler, runtime)


@dataclass(frozen=True, slots=True)
class Image:
    """One image for all functions, so that it is built and uploaded once."""

    asset: images.DockerImageAsset

    def of(self, handler: str) -> FunctionCode:
        # The entry point of AWS's base images takes the handler as its argument:
        # https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
        code = lambda_.Code.from_ecr_image(self.asset.repository, tag_or_digest=self.asset.image_tag, cmd=[handler])
        return FunctionCode(code, lambda_.Handler.FROM_IMAGE, lambda_.Runtime.FROM_IMAGE)
