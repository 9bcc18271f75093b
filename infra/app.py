"""The stack of this repository: the example workflows, deployed."""

from pathlib import Path

from stepfast.infra import synth

synth(Path(__file__).parents[1], extras=["examples"])
