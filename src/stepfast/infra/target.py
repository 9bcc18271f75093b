"""What a bundle is built for: a Lambda's architecture and its Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Architecture = Literal["arm64", "x86_64"]

# Lambda's Python 3.12 and later run on Amazon Linux 2023, whose glibc is 2.34.
_PLATFORMS: dict[Architecture, str] = {
    "arm64": "aarch64-manylinux_2_34",
    "x86_64": "x86_64-manylinux_2_34",
}


@dataclass(frozen=True, slots=True)
class Target:
    """arm64 costs a fifth less than x86_64 on Lambda, and is the default."""

    architecture: Architecture = "arm64"
    python: str = "3.13"

    @property
    def platform(self) -> str:
        """The platform as uv names it."""
        return _PLATFORMS[self.architecture]
