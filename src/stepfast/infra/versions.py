"""Checks that the CDK command line running the app can read what the installed CDK libraries write."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk.cloud_assembly_schema import Manifest

from stepfast.errors import StartupError
from stepfast.infra.cdk import CLI


def check_cli(environment: Mapping[str, str]) -> None:
    """Raises StartupError for a command line that reads only older cloud assemblies, naming one that works.

    The command line tells the app its version and the newest schema it reads. A higher version does not mean a newer
    schema: aws-cdk 3.0.0 reads schema 43, and 2.1148.1 reads schema 55.
    """
    reads, writes = environment.get("CDK_CLI_ASM_VERSION", ""), Manifest.version()
    if not reads.partition(".")[0].isdigit() or _major(reads) >= _major(writes):
        return
    raise StartupError(
        f"this CDK command line, {environment.get('CDK_CLI_VERSION', 'of an unknown version')}, reads cloud assemblies "
        f"up to schema {_major(reads)}, and the installed CDK libraries write {_major(writes)}: "
        f"npm install --global {CLI}, or run python -m stepfast.infra.cdk in its place"
    )


def _major(version: str) -> int:
    return int(version.partition(".")[0])
